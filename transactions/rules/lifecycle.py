"""The life of a version: drafted, submitted, approved by somebody else, in force, retired.

Whoever brings one into force, or ends it, holds a lock that every chunk of the flush shares: so each
chunk is stored wholly before or wholly after, and nothing is judged by half a list of versions.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import DataError, connection, transaction
from django.db.models import Count, Max, Sum
from django.db.models.functions import Coalesce, Now

from .. import money
from ..audit.actions import Action
from ..audit.entries import note
from ..models import Rollup, Transaction
from ..notifications import outbox
from ..notifications.models import MessageType
from ..timezones import to_the_minute
from . import debts, keeping
from .kinds.gaps import Unfit, in_full
from .kinds.kind import Kind, as_json
from .kinds.registry import CLOCK_NAMES, read, read_kept
from .locks import RULES_LOCK
from .models import APPROVED, ClockCursor, Rule, UserList, Version, VersionState

# Milliseconds for which a chunk is waited for.
STEP_LOCK_MS_MAX = 10_000
MINUTE = timedelta(minutes=1)
NOT_APPROVED = (VersionState.DRAFT, VersionState.SUBMITTED)
# What an approval sets of a version.
SET_BY_APPROVAL = (
    "state", "approver", "approved_at", "four_eyes", "effective_from", "effective_until", "alerts_from",
)  # fmt: skip
# Of a rule's sentence so much is told to those outside.
SENTENCE_CHARACTERS_MAX = 2_000

# Purpose: no chunk is judged meanwhile: each holds this lock, shared.
LOCK = f"SET LOCAL lock_timeout = {STEP_LOCK_MS_MAX}; SELECT pg_advisory_xact_lock({RULES_LOCK})"
# Purpose: the next full minute, by the clock that judges too. Not `now()`, which is from before the lock.
NEXT_MINUTE = """
    SELECT date_bin('1 minute', clock_timestamp(), '2000-01-01 00:00:00+00') + interval '1 minute'
"""
# Purpose: what is stored already and happens after a minute: how much, and until when.
FROM_FUTURE = f"SELECT count(*), max(created_at) FROM {Transaction._meta.db_table} WHERE created_at >= %s"
# Purpose: how many transactions happened in a time, to a quarter of an hour.
COUNT_PAST = f"""
    SELECT coalesce(sum(count), 0)::bigint FROM {Rollup._meta.db_table} WHERE bucket >= %s AND bucket < %s
"""


class StepRefused(Exception):
    """A version cannot take that step; says why."""


class OwnApproval(StepRefused):
    """Whoever approves is the author, or one of them is not known."""


class AuthorUnknown(StepRefused):
    """With FOUR_EYES a draft has an author: one without could never be approved."""

    def __init__(self) -> None:
        super().__init__("FOUR_EYES is on, so whoever approves is not the author: the author must be known.")


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
    """A wording whose lists there are, and whose timezone PostgreSQL knows. Raises Unfit, by the gap."""
    form = read(kind, parameters)
    if not _is_known(form.filter.zone):
        raise Unfit("filter.zone", f"the timezone {form.filter.zone} is not known to PostgreSQL")
    for gap, name in form.lists():
        if not UserList.objects.filter(name=name).exists():
            raise Unfit(gap, f"there is no list “{name}”")
    return form


def check_author(author: Any) -> None:
    """For those who draft for somebody else. Raises AuthorUnknown."""
    if settings.FOUR_EYES and author is None:
        raise AuthorUnknown


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
        version = Version.objects.create(
            rule=rule,
            number=last + 1,
            kind=kind,
            parameters=as_json(form),
            author=author,
            severity=held.severity if severity is None else severity,
            description=held.description if description is None else description,
        )
        note(Action.VERSION_DRAFTED, version, author=named(author))
        return version


def submit(version: Version, by: Any = None) -> None:
    """Asks for approval. Raises StepRefused."""
    with alone() as cursor:
        held = _held(version, VersionState.DRAFT)
        held.state = VersionState.SUBMITTED
        held.submitted_at = _now(cursor)
        held.save(update_fields=["state", "submitted_at"])
        note(Action.VERSION_SUBMITTED, held, by=named(by))
    version.refresh_from_db()


def approve(version: Version, approver: Any, *, shadow: bool = False, begin: datetime | None = None) -> None:
    """Brings a submitted version into force, or one in shadow; the one that was active ends then.

    From the next full minute on, or from `begin` in the past on, a full minute too: then what has
    happened since is judged as well. Raises StepRefused.
    """
    with alone() as cursor:
        held = _held(version, VersionState.SUBMITTED, *([] if shadow else [VersionState.SHADOW]))
        _check_approval(held, approver, begin)
        minute = next_minute(cursor)
        fresh = held.effective_from is None
        held.approver, held.approved_at, held.four_eyes = approver, _now(cursor), settings.FOUR_EYES
        held.effective_from = held.effective_from or _begin(begin, minute)
        held.state = VersionState.SHADOW if shadow else VersionState.ACTIVE
        if not shadow:
            # What it found in shadow stays without an alert, and what it is still to find of that time.
            held.alerts_from = held.effective_from if fresh else max(minute, held.effective_from)
            for other in held.rule.versions.filter(state=VersionState.ACTIVE):
                _end(other, minute, approver)
        held.save(update_fields=SET_BY_APPROVAL)
        if not shadow:
            said = {"severity": held.severity, "description": held.description}
            Rule.objects.filter(pk=held.rule_id).update(**said)
        _announce(held)
        if fresh and held.kind not in CLOCK_NAMES:
            _owe_past(cursor, held, minute)
        note(
            Action.VERSION_APPROVED,
            held,
            state=held.state,
            author=named(held.author),
            approver=named(approver),
            effective_from=held.effective_from,
        )
    version.refresh_from_db()


def _check_approval(held: Version, approver: Any, begin: datetime | None) -> None:
    """Whether that approver may bring it into force, from then on. Raises StepRefused."""
    if settings.FOUR_EYES and (approver is None or held.author_id in (None, approver.pk)):
        raise OwnApproval("Whoever approves a version is not its author (FOUR_EYES), and both must be known.")
    _check_retention(held)
    if begin is not None and held.effective_from is not None:
        raise MomentRefused(f"The version has begun to judge from {to_the_minute(held.effective_from)} on.")


def activate(version: Version, approver: Any, *, shadow: bool = False, begin: datetime | None = None) -> None:
    """Submits a draft and approves it in one, or approves what is submitted; see `approve`.

    With FOUR_EYES the approver is another one than the author all the same. Raises StepRefused, and
    then nothing has changed.
    """
    with transaction.atomic():
        if version.state == VersionState.DRAFT:
            submit(version, approver)
        approve(version, approver, shadow=shadow, begin=begin)


def may_withdraw(version: Version, account: Any) -> bool:
    """Whether a version is its author's to end: nobody has approved it yet."""
    return version.state in NOT_APPROVED and account is not None and account.pk == version.author_id


def retire(version: Version, by: Any = None) -> None:
    """Ends a version at the next full minute, or withdraws one not in force yet. Raises StepRefused."""
    _retire(version, by, *NOT_APPROVED, *APPROVED)


def withdraw(version: Version, by: Any = None) -> None:
    """Ends a version that nobody has approved. Raises StepRefused, also where somebody just has."""
    _retire(version, by, *NOT_APPROVED)


def give_up(version: Version, reason: str, by: Any = None) -> int:
    """What a version that has ended still owes is never judged, nor what comes late of its time, also when
    everything is deleted and comes again.

    Says how many records that are, as far as is known. `by` is who decided it. Raises StepRefused.
    """
    with alone():
        held = _held(version, VersionState.RETIRED)
        owed = held.debts.aggregate(number=Count("pk"), records=Coalesce(Sum("records"), 0))
        fails = ClockCursor.objects.filter(version=held).exclude(error="").exists()
        if not owed["number"] and not fails:
            raise StepRefused(f"{held} owes nothing.")
        held.debts.all().delete()
        ClockCursor.objects.filter(version=held).update(error="", due_at=None)
        Version.objects.filter(pk=held.pk).update(given_up_at=Now())
        note(Action.VERSION_GIVEN_UP, held, reason=reason, records=owed["records"], by=named(by))
    records: int = owed["records"]
    return records


def _retire(version: Version, by: Any, *states: VersionState) -> None:
    with alone() as cursor:
        _end(_held(version, *states), next_minute(cursor), by)
    version.refresh_from_db()


def _is_known(zone: str) -> bool:
    """Whether PostgreSQL, whose list of timezones may be another one than Python's, knows one."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT now() AT TIME ZONE %s", [in_full(zone)])
    except DataError:
        return False
    return True


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
    if begin > minute or not is_full_minute(begin):
        raise MomentRefused("A version begins at a full minute, and not later than the next.")
    check_not_before_all(begin)
    return begin


def check_not_before_all(moment: datetime) -> None:
    """Raises MomentRefused for a moment before anything that may be stored."""
    if moment < earliest():
        raise MomentRefused(
            f"This is before {settings.EARLIEST_CREATED_AT}, and nothing earlier is taken "
            "(EARLIEST_CREATED_AT)."
        )


def earliest() -> datetime:
    """Before this nothing that may be stored can have happened."""
    return datetime.combine(settings.EARLIEST_CREATED_AT, time.min, UTC)


def is_full_minute(moment: datetime) -> bool:
    """Whether something may come into force then."""
    return moment.second == 0 and moment.microsecond == 0


def _end(version: Version, minute: datetime, by: Any) -> None:
    if version.effective_from is not None:
        version.effective_until = max(minute, version.effective_from)
    version.state = VersionState.RETIRED
    version.save(update_fields=["state", "effective_until"])
    note(Action.VERSION_RETIRED, version, effective_until=version.effective_until, by=named(by))


def named(user: Any) -> str:
    """The name under which the audit trail has somebody; "" for nobody known."""
    return user.get_username() if user is not None else ""


def _announce(version: Version) -> None:
    """That a version came into force, or into shadow."""
    begin = version.effective_from
    with money.in_locale(money.DEFAULT_LOCALE):
        sentence = read_kept(version.kind, version.parameters).sentence()
    data = {
        "rule": {"id": version.rule_id, "name": version.rule.name},
        "version": version.number,
        "state": version.state,
        "severity": version.severity,
        "sentence": sentence[:SENTENCE_CHARACTERS_MAX],
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
    number, last = cursor.fetchone()
    if number:
        until = last + timedelta(microseconds=1)
        debts.owe(cursor, version=version.pk, since=minute, until=until, records=number, due_at=last)


def _check_retention(version: Version) -> None:
    try:
        days = keeping.days_needed(read(version.kind, version.parameters).memory_s)
    except Unfit as unfit:
        raise StepRefused(f"The version cannot be read any more: {unfit.message}.") from None
    if settings.RETENTION_DAYS and days > settings.RETENTION_DAYS:
        raise StepRefused(
            f"The rule looks back so far that transactions must be kept for {days} days, and RETENTION_DAYS "
            f"is {settings.RETENTION_DAYS}."
        )
