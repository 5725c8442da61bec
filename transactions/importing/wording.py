"""How a message names a key of a mapping: as whoever reads it would state it.

A mapping's file has a key, the command an option, a page a field with a label.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Of a key and a value, None where none is told.
Naming = Callable[[str, str | None], str]


def as_key(key: str, value: str | None = None) -> str:
    """As a mapping's file has it."""
    return key if value is None else f"{key}={value}"


_NAMING: ContextVar[Naming] = ContextVar("how keys of a mapping are named", default=as_key)


def said(key: str, value: object = None) -> str:
    """A key as it is stated, with a value if one is told: decimals=2, --decimals 2."""
    return _NAMING.get()(key, None if value is None else str(value))


@contextmanager
def named_by(naming: Naming) -> Iterator[None]:
    """Within it keys are named so."""
    before = _NAMING.set(naming)
    try:
        yield
    finally:
        _NAMING.reset(before)
