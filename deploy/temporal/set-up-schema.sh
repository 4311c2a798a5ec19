#!/bin/sh
# Creates Temporal's two databases, and brings them up to the version of the tool. Safe to run
# again. Needs SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD; SQL_TOOL is the tool's
# path, if it is not on the PATH.
set -eu
tool="${SQL_TOOL:-temporal-sql-tool}"

set_up() {
  export SQL_DATABASE="$1"
  # One that is there is left alone. Whatever else went wrong, the next step runs into as well.
  "$tool" create-database || echo "$1 could not be created: perhaps it is there"
  # Leaves a schema that has a version as it is.
  "$tool" setup-schema --version 0.0
  "$tool" update-schema --schema-name "$2"
}

set_up temporal postgresql/v12/temporal
set_up temporal_visibility postgresql/v12/visibility
"$tool" setup-schema --disable-versioning --schema-file "${0%/*}/visibility-indexes.sql"
