"""Bounds on headers that are read other than in linear time: one of 15 kB would hold everybody for seconds.

Django takes a Content-Type with parameters for the head of an e-mail, and Python unquotes a cookie anew from
every backslash on; both do so in the square of what they are given. So the one may be CONTENT_TYPE_BYTES_MAX
long, and all cookies have COOKIE_ESCAPES_MAX backslashes: the worst that is left takes a millisecond or two.
What else is read of a head is split, compared or matched in linear time, or cut short before: a test measures
each with the worst that a head has room for.

A Content-Type that Django cannot read at all, which it would raise for, is refused here too, for all paths
and for a websocket's handshake alike.
"""

from functools import lru_cache
from typing import Any

from django.utils.http import parse_header_parameters

from .refusals import EarlyRefusal

# With the longest boundary (70 characters) and a profile a media type is well below 256.
CONTENT_TYPE_BYTES_MAX = 512
# JSON in a cookie has one for each of its quotes.
COOKIE_ESCAPES_MAX = 256

TYPE_TOO_LONG = EarlyRefusal(
    431, f"The Content-Type is too long: it has at most {CONTENT_TYPE_BYTES_MAX} bytes."
)
TYPE_UNREADABLE = EarlyRefusal(
    400, "The Content-Type cannot be read. Send a media type, as in application/json; charset=utf-8."
)
TOO_MANY_ESCAPES = EarlyRefusal(431, f"The Cookie has more than {COOKIE_ESCAPES_MAX} backslashes.")


def fault_of(headers: Any) -> EarlyRefusal | None:
    """What is said to a request with these headers (Twisted's) before anybody reads them; None if nothing."""
    types = headers.getRawHeaders(b"Content-Type")
    if types is not None and (fault := _fault_of_type(b",".join(types))) is not None:
        return fault
    cookies = headers.getRawHeaders(b"Cookie")
    if cookies is not None and sum(cookie.count(b"\\") for cookie in cookies) > COOKIE_ESCAPES_MAX:
        return TOO_MANY_ESCAPES
    return None


def _fault_of_type(value: bytes) -> EarlyRefusal | None:
    if len(value) > CONTENT_TYPE_BYTES_MAX:
        return TYPE_TOO_LONG
    return None if b";" not in value else _fault_of_parameters(value)


@lru_cache(maxsize=1024)
def _fault_of_parameters(value: bytes) -> EarlyRefusal | None:
    try:
        parse_header_parameters(value.decode("latin-1"))
    except Exception:  # it has raised four kinds, and is none of ours
        return TYPE_UNREADABLE
    return None
