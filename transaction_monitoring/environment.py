"""Values read from the environment. A bad one ends any program, with one line that names it."""

import fcntl
import sys
from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path

import environ
from iso4217 import Currency

env = environ.Env()


def is_locked(path: Path) -> bool:
    """Whether a living process holds the file's lock."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def whole(name: str, default: int, *, least: int = 0) -> int:
    """The whole number that the environment gives for `name`; the end below `least`."""
    try:
        value = int(env.str(name, default=str(default)))
    except ValueError:
        sys.exit(f"{name} must be a whole number")
    if value < least:
        sys.exit(f"{name} must be {least} or more")
    return value


def day(name: str, default: str) -> date:
    """The date (YYYY-MM-DD) that the environment gives for `name`; the end for anything that is none."""
    value = env.str(name, default=default)
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()
    except ValueError:
        sys.exit(f"{name} must be a date, as in {default}")


def switch(name: str, default: bool) -> bool:
    """A yes/no from the environment; the end for anything that is neither."""
    value = env.str(name, default=str(default)).strip().lower()
    if value in ("true", "on", "yes", "1"):
        return True
    if value in ("false", "off", "no", "0"):
        return False
    sys.exit(f"{name} must be true or false, not {value!r}")


def one_of(name: str, default: str, words: Collection[str]) -> str:
    """The word that the environment gives for `name`, in capitals; the end for one that is no such word."""
    value = str(env.str(name, default=default)).strip().upper()
    if value not in words:
        sys.exit(f"{name} must be one of {', '.join(words)}, not {value!r}")
    return value


def currency(name: str) -> str:
    """The currency (ISO 4217) that the environment gives for `name`, "" where it is unset; else the end."""
    value = str(env.str(name, default="")).strip()
    if not value:
        return ""
    known = Currency.__members__.values()
    if value not in {each.code for each in known}:
        sys.exit(f"{name} must be a currency of ISO 4217 in capitals, as in EUR, or empty; not {value!r}")
    if Currency(value).exponent is None:
        sys.exit(f"{name} must be a currency that has a smallest unit, as in EUR; {value} has none")
    return value
