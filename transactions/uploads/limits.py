"""How much people may upload, and for how long it is kept."""

from datetime import timedelta

# Where a file is uploaded: bodies may be larger there than anywhere else, as UPLOAD_BYTES_MAX says. The proxy
# knows the path too.
UPLOAD_PATH = "/admin/uploads/upload/new/"
# Of each person, and in all, so many files may be here that are not imported.
OPEN_OF_PERSON_MAX, OPEN_MAX = 5, 20
# So long an upload is kept with its file and its refused rows, after the last step with it.
KEPT = timedelta(days=7)
# Rows that are shown of a file, and kept for that.
HEAD_ROWS_MAX, HEAD_CHARACTERS_MAX = 200, 256 * 1024
# Refused rows that are kept, to be corrected; the others are counted.
REFUSED_MAX = 50_000
