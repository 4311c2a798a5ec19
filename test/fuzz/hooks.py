"""What schemathesis cannot know of a value from its format: which ones there are."""

import datetime

import schemathesis
from hypothesis import strategies as st

# A date is any day of the calendar since 1600, and a date of birth is one that has begun.
schemathesis.openapi.format(
    "date",
    st.dates(datetime.date(1600, 1, 1), datetime.date(2025, 12, 31)).map(str),
)

# An instant is of years that have four digits a century later, too.
schemathesis.openapi.format(
    "date-time",
    st.datetimes(datetime.datetime(1600, 1, 1), datetime.datetime(9898, 12, 31)).map(
        lambda instant: f"{instant.isoformat()}Z"
    ),
)

# A zone is one that the tz database has.
schemathesis.openapi.format(
    "time-zone",
    st.sampled_from(
        [
            "UTC",
            "Africa/Casablanca",
            "America/Argentina/Buenos_Aires",
            "America/New_York",
            "America/St_Johns",
            "Asia/Calcutta",
            "Asia/Tokyo",
            "EST",
            "GMT",
            "Australia/Lord_Howe",
            "Europe/Berlin",
            "Pacific/Apia",
            "Pacific/Kiritimati",
            "Pacific/Pago_Pago",
        ]
    ),
)
