"""What PostgreSQL refuses because somebody else did something meanwhile, and what is tried once more then."""

from collections.abc import Callable
from typing import TypeVar

from django.db import IntegrityError
from psycopg2.errors import ForeignKeyViolation, UniqueViolation

T = TypeVar("T")


def came_between(error: IntegrityError) -> bool:
    """Whether somebody else did something meanwhile; else a constraint of ours is broken, by a fault of ours.

    There is one of that name or number by now, or what was to be named is gone.
    """
    return isinstance(error.__cause__, ForeignKeyViolation | UniqueViolation)


def once_more(act: Callable[[], T]) -> T:
    """What `act`, a transaction, returns: repeated where somebody came between, whom it sees then.

    Raises IntegrityError of anything else, and where somebody comes between again.
    """
    try:
        return act()
    except IntegrityError as error:
        if not came_between(error):
            raise
    return act()
