"""To the second, which Django's own do not tell. The zone is the page's, which says it at its top."""

DATETIME_FORMAT = "Y-m-d H:i:s"
SHORT_DATETIME_FORMAT = DATETIME_FORMAT
