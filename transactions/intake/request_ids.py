"""X-Request-Id: the form of a name of a request."""

import random
import re

CHARACTERS_MAX = 64
_REQUEST_ID = re.compile(rf"[\w.-]{{1,{CHARACTERS_MAX}}}", re.ASCII)


def kept_or_new(given: str) -> str:
    """The client's X-Request-Id where it is fit to be kept, else one of our own: a name, no secret."""
    return given if given and _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
