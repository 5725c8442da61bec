"""Names of rules and lists that there are: those that differ in upper and lower case alone are one."""

from collections.abc import Collection

from django.db.models.functions import Lower

from .models import Rule, UserList

Named = type[Rule] | type[UserList]
_WORDS: dict[Named, str] = {Rule: "rule", UserList: "list"}


def told(model: Named, name: str) -> str | None:
    """What is said to whoever wants a name that another one has, or None where none has it."""
    if model._default_manager.filter(name=name).exists():
        return f"there is a {_WORDS[model]} “{name}” already"
    return told_of_case(model, [name]).get(name)


def told_of_case(model: Named, names: Collection[str]) -> dict[str, str]:
    """By name what is said of those that differ in case alone from one that there is."""
    rows = model._default_manager.alias(lowered=Lower("name"))
    known = set(rows.filter(lowered__in={name.lower() for name in names}).values_list("name", flat=True))
    by_lower = {name.lower(): name for name in known}
    words = "there is a {} “{}” already, which differs from “{}” in upper and lower case alone"
    return {
        name: words.format(_WORDS[model], by_lower[name.lower()], name)
        for name in names
        if name not in known and name.lower() in by_lower
    }
