"""Lists of users: how many stand on each now, and which rules name it."""

from collections.abc import Collection
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from .activity import COUNTED_MAX
from .models import APPROVED, ListEntry, UserList, Version, VersionState

# Characters of the comment of an entry.
COMMENT_MAX = 200
# Versions that are in force or about to be.
_NAMING = (VersionState.SUBMITTED, *APPROVED)

# Purpose: users who stand on a list now, each once, by the index entry_by_user.
COUNT_STANDING = f"""
    (SELECT count(*) FROM (SELECT DISTINCT e.user_id FROM {ListEntry._meta.db_table} e
      WHERE e.list_id = {UserList._meta.db_table}.id AND e.starts_at <= now()
        AND coalesce(e.ends_at > now(), true)
      LIMIT %s) counted)
"""


def with_standing(lists: QuerySet[UserList]) -> QuerySet[Any]:
    """The lists, each with `standing`: the users who stand there now, counted up to COUNTED_MAX."""
    return lists.annotate(standing=RawSQL(COUNT_STANDING, [COUNTED_MAX]))


def in_force() -> Q:
    """Entries whose users stand on the list now."""
    return Q(starts_at__lte=Now()) & (Q(ends_at=None) | Q(ends_at__gt=Now()))


def naming(lists: Collection[str]) -> dict[str, list[str]]:
    """By the name of a list the rules that name it, and are in force or about to be."""
    places = ("parameters__list_name", "parameters__filter__in_list", "parameters__filter__not_in_list")
    named = Q()
    for place in places:
        named |= Q(**{f"{place}__in": list(lists)})
    found: dict[str, list[str]] = {name: [] for name in lists}
    versions = Version.objects.filter(named, state__in=_NAMING).order_by("rule__name")
    for rule, *said in versions.values_list("rule__name", *places).distinct():
        for name in {name for name in said if name in found}:
            if rule not in found[name]:
                found[name].append(rule)
    return found
