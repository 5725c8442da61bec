"""Numbers and moments that stand in Redis' hashes: what is none, as by hand, is passed over and said."""

import logging
import re
from collections.abc import Mapping
from functools import lru_cache

from .redis_connection import text

log = logging.getLogger(__name__)

# As we write them. So many digits are a bigint of PostgreSQL, and a year that calendars have.
WHOLE = re.compile(r"[0-9]{1,18}")
MOMENT = re.compile(r"[0-9]{1,11}(\.[0-9]{1,6})?")
CHARACTERS_TOLD_MAX = 60

# How Redis' client types what it answers.
Told = bytes | str


def whole(key: str, field: str, told: Told | None) -> int | None:
    """The whole number that a field has; 0 where there is none, None for what is no number."""
    if told is None or WHOLE.fullmatch(text(told)):
        return int(told or 0)
    _say(key, field, text(told)[:CHARACTERS_TOLD_MAX], "whole number")
    return None


def moment(key: str, field: str, told: Told) -> float | None:
    """The moment that a field has, in seconds since 1970; None for what is no moment."""
    if MOMENT.fullmatch(text(told)):
        return float(told)
    _say(key, field, text(told)[:CHARACTERS_TOLD_MAX], "moment")
    return None


def wholes(key: str, found: Mapping[Told, Told]) -> dict[str, int]:
    """Those of a hash of whole numbers that are some, by field."""
    read = {text(field): whole(key, text(field), told) for field, told in found.items()}
    return {field: number for field, number in read.items() if number is not None}


def moments(key: str, found: Mapping[Told, Told]) -> dict[str, float]:
    """Those of a hash of moments that are some, by field."""
    read = {text(field): moment(key, text(field), told) for field, told in found.items()}
    return {field: when for field, when in read.items() if when is not None}


@lru_cache(maxsize=256)
def _say(key: str, field: str, told: str, what: str) -> None:
    """Once in a process: pages ask again and again."""
    log.warning("%s in Redis has %r for %r: no %s, and passed over", key, told, field, what)
