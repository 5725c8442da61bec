"""To the second and with the name of the time zone; Django's own tell neither."""

DATETIME_FORMAT = "Y-m-d H:i:s e"
SHORT_DATETIME_FORMAT = DATETIME_FORMAT
