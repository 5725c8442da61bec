"""Names of rules and lists that there are: those that differ in upper and lower case alone are one."""

from collections.abc import Collection, Sequence

from django.db import connection

from .models import Rule, UserList

Named = type[Rule] | type[UserList]
# Purpose: of some names those there are that PostgreSQL takes for the same, whatever their case.
SELECT_ALIKE = """
    SELECT asked.name, known.name FROM unnest(%s::text[]) asked (name)
      JOIN {} known ON lower(known.name) = lower(asked.name)
"""
# Purpose: the names among some that PostgreSQL takes for the same as one before them.
SELECT_TWICE = """
    WITH asked AS (SELECT name, place FROM unnest(%s::text[]) WITH ORDINALITY a (name, place))
    SELECT DISTINCT later.place FROM asked later JOIN asked earlier
        ON lower(earlier.name) = lower(later.name) AND earlier.place < later.place
"""
_WORDS: dict[Named, str] = {Rule: "rule", UserList: "list"}


def told(model: Named, name: str) -> str | None:
    """What is said to whoever wants a name that another one has, or None where none has it."""
    if model._default_manager.filter(name=name).exists():
        return f"there is a {_WORDS[model]} “{name}” already"
    return told_of_case(model, [name]).get(name)


def told_of_case(model: Named, names: Collection[str]) -> dict[str, str]:
    """By name what is said of those that differ in case alone from one that there is.

    PostgreSQL says which do: it refuses them, and Python has another opinion of some letters.
    """
    with connection.cursor() as cursor:
        cursor.execute(SELECT_ALIKE.format(model._meta.db_table), [list(names)])
        found = cursor.fetchall()
    known = {name for name, other in found if name == other}
    words = "there is a {} “{}” already, which differs from “{}” in upper and lower case alone"
    return {name: words.format(_WORDS[model], other, name) for name, other in found if name not in known}


def twice(names: Sequence[str]) -> set[int]:
    """The places, from 0, of names that are those of an earlier place in another case."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_TWICE, [list(names)])
        return {int(place) - 1 for (place,) in cursor.fetchall()}
