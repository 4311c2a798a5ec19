#!/bin/sh
# Creates the namespace if there is none. Needs TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and
# RETENTION_DAYS: how long the histories of runs that have ended are kept.
set -eu

if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" > /dev/null 2>&1; then
  echo "The namespace $TEMPORAL_NAMESPACE is there."
else
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" \
    --retention "$((RETENTION_DAYS * 24))h"
fi
# The services learn of a new one only after a while.
until temporal workflow count --namespace "$TEMPORAL_NAMESPACE"; do sleep 1; done
