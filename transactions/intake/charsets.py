"""The charset that a request states for its body: we read UTF-8 alone, and guess nothing."""

import re
from functools import lru_cache

UNKNOWN = 'Unsupported charset "{}". Send UTF-8.'
CHARACTERS_TOLD_MAX = 60

# Each, however often it is stated: of two nobody knows which is meant.
_STATED = re.compile(r""";\s*charset\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)""", re.IGNORECASE)


@lru_cache(maxsize=256)
def fault_of(content_type: str) -> str:
    """What is said to the charset of a Content-Type; "" where it states none, or UTF-8 in any spelling."""
    for stated in _STATED.findall(content_type):
        name = stated.strip().strip("\"'")
        if name.lower().replace("_", "-") not in ("utf-8", "utf8"):
            return UNKNOWN.format(name[:CHARACTERS_TOLD_MAX])
    return ""
