"""Who stands on a list: entries are made and ended, for the next full minute, and never edited."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Greatest

from ..audit.actions import Action
from ..audit.entries import note
from .lifecycle import MomentRefused, StepRefused, alone, is_full_minute, named, next_minute
from .models import ListEntry, UserList

# So many users of those that are put on a list, or taken off, stand in the audit trail, beside their number.
NOTED_USERS_MAX = 100
# Unknown users that one sentence names.
TOLD_MAX = 10

# Purpose: entries of users who do not stand on the list as long already.
ADD_ENTRIES = f"""
    INSERT INTO {ListEntry._meta.db_table} (list_id, user_id, comment, made_by_id, starts_at, ends_at)
    SELECT %(list)s, k.key, %(comment)s, %(by)s, %(starts)s, %(expires)s::timestamptz
      FROM unnest(%(users)s::integer[]) k (key)
     WHERE NOT EXISTS (
        SELECT FROM {ListEntry._meta.db_table} e
         WHERE e.list_id = %(list)s AND e.user_id = k.key AND e.starts_at <= %(starts)s
           AND coalesce(e.ends_at >= %(expires)s::timestamptz, e.ends_at IS NULL))
"""


class UnknownUsers(StepRefused):
    """There are no users of these keys."""

    def __init__(self, keys: list[int]) -> None:
        super().__init__(f"There is no customer {', '.join(map(str, keys[:TOLD_MAX]))}.")
        self.keys = keys


def check_users(keys: Sequence[int]) -> None:
    """Raises UnknownUsers, with those of the keys that no user has."""
    known = set(get_user_model()._default_manager.filter(pk__in=keys).values_list("pk", flat=True))
    if unknown := [key for key in keys if key not in known]:
        raise UnknownUsers(unknown)


def add_entries(
    users: UserList,
    keys: Sequence[int],
    *,
    by: Any = None,
    expires: datetime | None = None,
    comment: str = "",
) -> int:
    """Puts users, by their keys, on a list: from the next full minute until before `expires`, another one.

    Says how many: who stands there as long already is not put there again. Raises UnknownUsers and
    MomentRefused, and then nobody was put there.
    """
    wanted = list(dict.fromkeys(keys))
    check_users(wanted)
    with alone() as cursor:
        starts = next_minute(cursor)
        if expires is not None and (expires <= starts or not is_full_minute(expires)):
            raise MomentRefused("The end of an entry must be a full minute to come.")
        cursor.execute(
            ADD_ENTRIES,
            {
                "list": users.pk,
                "users": wanted,
                "comment": comment,
                "by": None if by is None else by.pk,
                "starts": starts,
                "expires": expires,
            },
        )
        added: int = cursor.rowcount
        if added:
            some = wanted[:NOTED_USERS_MAX]
            noted: dict[str, Any] = {"added": added, "users": some, "ends_at": expires, "by": named(by)}
            note(Action.LIST_ENTRY_MADE, users, **noted, comment=comment)
    return added


def end_entry(entry: ListEntry, by: Any = None) -> None:
    """Takes the user of an entry off its list at the next full minute: all entries of theirs there end.

    One that ends earlier stays as it is; where this one does, so do the others. Raises ListEntry.DoesNotExist
    where it went meanwhile, with its user.
    """
    with alone() as cursor:
        entry.refresh_from_db()
        if entry.ends_at is None or entry.ends_at > max(entry.starts_at, next_minute(cursor)):
            _end_entries(ListEntry.objects.filter(list=entry.list_id, user=entry.user_id), by)
    entry.refresh_from_db()


def end_entries(users: UserList, keys: Sequence[int], by: Any = None) -> int:
    """Takes users off a list at the next full minute; says how many entries of theirs were ended."""
    return _end_entries(users.entries.filter(user__in=keys), by)


def _end_entries(entries: QuerySet[ListEntry], by: Any) -> int:
    with alone() as cursor:
        minute = next_minute(cursor)
        end = Greatest(F("starts_at"), Value(minute))
        later = entries.filter(Q(ends_at=None) | Q(ends_at__gt=end)).select_related("list")
        some = list(later[:NOTED_USERS_MAX])
        ended = later.update(ends_at=end)
        if some:
            users = [entry.user_id for entry in some]
            noted: dict[str, Any] = {"ended": ended, "users": users, "ends_at": minute, "by": named(by)}
            note(Action.LIST_ENTRY_ENDED, some[0].list, **noted)
        return ended
