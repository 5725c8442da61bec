"""The life of a version: drafted, submitted, approved by somebody else, in force, retired.

Whoever brings one into force, or ends it, holds a lock that every chunk of the flush shares: so each
chunk is stored wholly before or wholly after, and nothing is judged by half a list of versions.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import F, Max, Q, QuerySet, Value
from django.db.models.functions import Greatest

from ..models import Rollup, Transaction
from ..notifications import outbox
from ..notifications.models import MessageType
from . import debts
from .kinds.gaps import Unfit
from .kinds.kind import Kind, as_json
from .kinds.registry import read
from .locks import RULES_LOCK
from .models import ListEntry, Rule, UserList, Version, VersionState

# Milliseconds for which a chunk is waited for.
LOCK_MS_MAX = 10_000
MINUTE = timedelta(minutes=1)
# Unknown users that one sentence names.
TOLD_MAX = 10
# Of a rule's sentence so much is told to those outside.
SENTENCE_CHARACTERS_MAX = 2_000

LOCK = f"SET LOCAL lock_timeout = {LOCK_MS_MAX}; SELECT pg_advisory_xact_lock({RULES_LOCK})"
# Purpose: the next full minute, by the clock that judges too. Not `now()`, which is from before the lock.
NEXT_MINUTE = """
    SELECT date_bin('1 minute', clock_timestamp(), '2000-01-01 00:00:00+00') + interval '1 minute'
"""
# Purpose: what is stored already and happens after a minute.
FROM_FUTURE = f"""
    SELECT coalesce(array_agg(id), '{{}}'), max(created_at) FROM {Transaction._meta.db_table}
     WHERE created_at >= %s
"""
# Purpose: how many transactions happened in a time, to a quarter of an hour.
COUNT_PAST = f"""
    SELECT coalesce(sum(count), 0)::bigint FROM {Rollup._meta.db_table} WHERE bucket >= %s AND bucket < %s
"""
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


class StepRefused(Exception):
    """A version cannot take that step; says why."""


class OwnApproval(StepRefused):
    """Whoever approves is the author, or one of them is not known."""


class UnknownUsers(StepRefused):
    """There are no users of these keys."""

    def __init__(self, keys: list[int]) -> None:
        super().__init__(f"There is no user {', '.join(map(str, keys[:TOLD_MAX]))}.")
        self.keys = keys


class MomentRefused(StepRefused):
    """The moment that was given for a beginning or an end cannot be one."""


@contextmanager
def alone() -> Iterator[Any]:
    """A cursor in a transaction during which no chunk is judged. Raises django.db.OperationalError."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK)
        yield cursor


def next_minute(cursor: Any) -> datetime:
    """The minute from which on what is changed now holds; ask it under the lock."""
    cursor.execute(NEXT_MINUTE)
    minute: datetime = cursor.fetchone()[0]
    return minute


def version_of(rule: Rule, number: int | None, *states: VersionState) -> Version:
    """The version of that number; without one the newest in one of the states. Raises StepRefused."""
    versions = rule.versions.order_by("-number")
    found = versions.filter(state__in=states) if number is None else versions.filter(number=number)
    version: Version | None = found.first()
    if version is None:
        sought = f"number {number}"
        if number is None:
            sought = " or ".join(state.label.lower() for state in states)
        raise StepRefused(f"The rule “{rule.name}” has no version that is {sought}.")
    return version


def checked_form(kind: Any, parameters: Any) -> Kind:
    """A wording whose lists there are. Raises Unfit, which names the gap."""
    form = read(kind, parameters)
    for gap, name in form.lists():
        if not UserList.objects.filter(name=name).exists():
            raise Unfit(gap, f"there is no list “{name}”")
    return form


def draft(
    rule: Rule,
    kind: str,
    parameters: Any,
    author: Any = None,
    *,
    severity: str | None = None,
    description: str | None = None,
) -> Version:
    """A new version of a rule, by default as grave as the rule is. Raises Unfit, which names the gap."""
    form = checked_form(kind, parameters)
    with transaction.atomic():
        held = Rule.objects.select_for_update().get(pk=rule.pk)
        last = rule.versions.aggregate(last=Max("number"))["last"] or 0
        return Version.objects.create(
            rule=rule,
            number=last + 1,
            kind=kind,
            parameters=as_json(form),
            author=author,
            severity=held.severity if severity is None else severity,
            description=held.description if description is None else description,
        )


def submit(version: Version) -> None:
    """Asks for approval. Raises StepRefused."""
    with alone() as cursor:
        held = _held(version, VersionState.DRAFT)
        held.state = VersionState.SUBMITTED
        held.submitted_at = _now(cursor)
        held.save(update_fields=["state", "submitted_at"])
    version.refresh_from_db()


def approve(version: Version, approver: Any, *, shadow: bool = False, begin: datetime | None = None) -> None:
    """Brings a submitted version into force, or one in shadow; the one that was active ends then.

    From the next full minute on, or from `begin` in the past on, a full minute too: then what has
    happened since is judged as well. Raises StepRefused.
    """
    with alone() as cursor:
        held = _held(version, VersionState.SUBMITTED, *([] if shadow else [VersionState.SHADOW]))
        minute = next_minute(cursor)
        if settings.FOUR_EYES and (approver is None or held.author_id in (None, approver.pk)):
            raise OwnApproval(
                "Whoever approves a version is not its author (FOUR_EYES), and both must be known."
            )
        _check_retention(held)
        fresh = held.effective_from is None
        if begin is not None and not fresh:
            raise MomentRefused(
                f"The version has begun to judge from {held.effective_from:%Y-%m-%d %H:%M} UTC on."
            )
        held.approver, held.approved_at, held.four_eyes = approver, _now(cursor), settings.FOUR_EYES
        held.effective_from = held.effective_from or _begin(begin, minute)
        held.state = VersionState.SHADOW if shadow else VersionState.ACTIVE
        if not shadow:
            for other in held.rule.versions.filter(state=VersionState.ACTIVE):
                _end(other, minute)
        held.save(
            update_fields=[
                "state",
                "approver",
                "approved_at",
                "four_eyes",
                "effective_from",
                "effective_until",
            ]
        )
        if not shadow:
            said = {"severity": held.severity, "description": held.description}
            Rule.objects.filter(pk=held.rule_id).update(**said)
        _tell(held)
        if fresh and read(held.kind, held.parameters).group != "clock":
            _owe_past(cursor, held, minute)
    version.refresh_from_db()


def activate(version: Version, approver: Any, *, shadow: bool = False, begin: datetime | None = None) -> None:
    """Submits a draft and approves it in one, or approves what is submitted; see `approve`.

    With FOUR_EYES the approver is another one than the author all the same. Raises StepRefused, and
    then nothing has changed.
    """
    with transaction.atomic():
        if version.state == VersionState.DRAFT:
            submit(version)
        approve(version, approver, shadow=shadow, begin=begin)


def retire(version: Version) -> None:
    """Ends a version at the next full minute, or withdraws one not in force yet. Raises StepRefused."""
    with alone() as cursor:
        held = _held(
            version, VersionState.DRAFT, VersionState.SUBMITTED, VersionState.SHADOW, VersionState.ACTIVE
        )
        _end(held, next_minute(cursor))
    version.refresh_from_db()


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
        if expires is not None and (expires <= starts or not _is_full(expires)):
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
    return added


def end_entry(entry: ListEntry) -> None:
    """Ends an entry at the next full minute; one that ends earlier stays as it is."""
    _end_entries(ListEntry.objects.filter(pk=entry.pk))
    entry.refresh_from_db()


def end_entries(users: UserList, keys: Sequence[int]) -> int:
    """Takes users off a list at the next full minute; says how many entries of theirs were ended."""
    return _end_entries(users.entries.filter(user__in=keys))


def _end_entries(entries: QuerySet[ListEntry]) -> int:
    with alone() as cursor:
        minute = next_minute(cursor)
        end = Greatest(F("starts_at"), Value(minute))
        later = entries.filter(Q(ends_at=None) | Q(ends_at__gt=end))
        return later.update(ends_at=end)


def _held(version: Version, *states: VersionState) -> Version:
    held = Version.objects.select_for_update().get(pk=version.pk)
    if held.state not in states:
        raise StepRefused(f"The version is {VersionState(held.state).label.lower()}.")
    return held


def _now(cursor: Any) -> datetime:
    cursor.execute("SELECT clock_timestamp()")
    now: datetime = cursor.fetchone()[0]
    return now


def _begin(begin: datetime | None, minute: datetime) -> datetime:
    if begin is None:
        return minute
    if begin > minute or not _is_full(begin):
        raise MomentRefused("A version begins at a full minute, and not later than the next.")
    return begin


def _is_full(moment: datetime) -> bool:
    return moment.second == 0 and moment.microsecond == 0


def _end(version: Version, minute: datetime) -> None:
    if version.effective_from is not None:
        version.effective_until = max(minute, version.effective_from)
    version.state = VersionState.RETIRED
    version.save(update_fields=["state", "effective_until"])


def _tell(version: Version) -> None:
    """That a version came into force, or into shadow."""
    begin = version.effective_from
    data = {
        "rule": {"id": version.rule_id, "name": version.rule.name},
        "version": version.number,
        "state": version.state,
        "severity": version.severity,
        "sentence": read(version.kind, version.parameters).sentence()[:SENTENCE_CHARACTERS_MAX],
        "effective_from": begin and outbox.moment(begin),
        "approver": version.approver and version.approver.get_username(),
        "link": outbox.link(f"/admin/rules/rule/{version.rule_id}/change/"),
    }
    outbox.write(MessageType.RULE_ACTIVATED, data, version.severity)


def _owe_past(cursor: Any, version: Version, minute: datetime) -> None:
    """What is stored already and will be, or is, in the version's time."""
    begin = version.effective_from
    assert begin is not None
    if begin < minute:
        cursor.execute(COUNT_PAST, [begin, minute])
        debts.owe(cursor, version=version.pk, since=begin, until=minute, records=cursor.fetchone()[0])
    cursor.execute(FROM_FUTURE, [minute])
    ids, last = cursor.fetchone()
    if ids:
        debts.owe(cursor, version=version.pk, ids=ids, records=len(ids), due_at=last)


def _check_retention(version: Version) -> None:
    days = days_needed(read(version.kind, version.parameters).memory_s)
    if settings.RETENTION_DAYS and days > settings.RETENTION_DAYS:
        raise StepRefused(
            f"The rule looks back so far that transactions must be kept for {days} days, and RETENTION_DAYS "
            f"is {settings.RETENTION_DAYS}."
        )


def days_needed(memory_s: int) -> int:
    """Days for which transactions must be kept for a rule that looks back so far: these, and one more."""
    return -(-memory_s // 86_400) + 1


def longest() -> tuple[int, str]:
    """For how many days rules in force need transactions to be kept, and the name of the rule; 0 for none."""
    in_force = Version.objects.filter(state__in=(VersionState.SHADOW, VersionState.ACTIVE)).select_related(
        "rule"
    )
    needed = [
        (days_needed(read(version.kind, version.parameters).memory_s), version.rule.name)
        for version in in_force
    ]
    return max(needed, default=(0, ""))
