"""The queue of alerts: a page of it, and how many there are."""

from typing import Any, NamedTuple

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q, QuerySet
from django.utils import timezone

from ..alerts.models import Alert, AlertState
from ..reading.paging import Page, cursor_of, turned
from ..severity import GRAVEST_FIRST, Severity
from ..stores import bounded_queries

# So many of those that are not closed are looked at to count them.
LOOKED_AT_MAX = 100_000
# Those that the menu counts; of more there are "99+". It waits for no lock for long: each page has it, also
# the one that says that another took too long.
BADGE_MAX = 99
BADGE_MS_MAX = 500
ALERT = Alert._meta.db_table

# Purpose: how many are open, in one pass over the newest that are not closed.
COUNT = f"""
    SELECT count(*), count(*) FILTER (WHERE state = 'OPEN'), count(*) FILTER (WHERE state = 'IN_REVIEW'),
           count(*) FILTER (WHERE due_at < now()), count(*) FILTER (WHERE assignee_id IS NULL),
           count(*) FILTER (WHERE assignee_id = %(me)s),
           {", ".join(f"count(*) FILTER (WHERE severity = '{severity}')" for severity in Severity.values)}
      FROM (SELECT state, severity, assignee_id, due_at FROM {ALERT} WHERE NOT (state = 'CLOSED')
             ORDER BY opened_at DESC, id DESC LIMIT %(most)s) looked_at
"""
# By which field a page is ordered, and which way.
ORDERED_BY = {"newest": ("opened_at", "lt"), "due": ("due_at", "gt"), "urgent": ("opened_at", "gt")}
Caller = User | AnonymousUser


def found(asked: dict[str, Any], caller: Caller) -> QuerySet[Alert]:
    """The alerts that AlertParameters ask for, in their order; a page asks for several `rules` at once."""
    rows = Alert.objects.select_related("assignee", "closed_by")
    for name in ("state", "severity", "rule", "user", "disposition", "assignee"):
        if name in asked:
            rows = rows.filter(**{name: asked[name]})
    if "rules" in asked:
        rows = rows.filter(rule__in=asked["rules"])
    if "disposition" in asked:
        rows = rows.filter(state=AlertState.CLOSED)
    if "closed" in asked:
        closed = Q(state=AlertState.CLOSED)
        rows = rows.filter(closed if asked["closed"] else ~closed)
    if "unassigned" in asked:
        rows = rows.filter(assignee__isnull=asked["unassigned"])
    if "mine" in asked:
        mine = Q(assignee=caller.pk) & Q(assignee__isnull=False)
        rows = rows.filter(mine) if asked["mine"] else rows.filter(~Q(assignee=caller.pk) | Q(assignee=None))
    if "overdue" in asked:
        rows = _overdue(rows, overdue=asked["overdue"])
    if "from" in asked:
        rows = rows.filter(opened_at__gte=asked["from"])
    if "to" in asked:
        rows = rows.filter(opened_at__lt=asked["to"])
    if asked["order"] == "due":
        return rows.filter(~Q(state=AlertState.CLOSED), due_at__isnull=False).order_by("due_at", "id")
    if asked["order"] == "urgent":
        # Of one severity: see `_urgent`.
        return rows.filter(~Q(state=AlertState.CLOSED)).order_by("opened_at", "id")
    return rows.order_by("-opened_at", "-id")


def _overdue(rows: QuerySet[Alert], *, overdue: bool) -> QuerySet[Alert]:
    now = timezone.now()
    if overdue:
        return rows.filter(~Q(state=AlertState.CLOSED), due_at__lt=now)
    return rows.filter(Q(state=AlertState.CLOSED) | Q(due_at=None) | Q(due_at__gte=now))


class PageOfQueue(NamedTuple):
    """The alerts of one page, and the cursors of the pages after and before it."""

    rows: list[Alert]
    cursor: str | None
    before: str | None


def page(asked: dict[str, Any], caller: Caller) -> Page:
    """One page, for the API."""
    rows, cursor, _ = rows_of_page(asked, caller)
    return Page([as_dict(row) for row in rows], cursor)


def rows_of_page(asked: dict[str, Any], caller: Caller) -> PageOfQueue:
    """The page after the place `cursor`, or `before` another. Raises OperationalError where it is slow."""
    rows, by, backwards = found(asked, caller), asked["order"], "before" in asked
    place = (
        _Place(*asked["before" if backwards else "cursor"][1:]) if "cursor" in asked or backwards else None
    )
    rows = rows.reverse() if backwards else rows
    with bounded_queries.bounded():
        if by == "urgent":
            page = _urgent(rows, place, asked["limit"], backwards=backwards)
        else:
            page = list(_beside(rows, by, place, backwards=backwards)[: asked["limit"] + 1])
    if backwards and len(page) <= asked["limit"]:
        # The first page is as full as any other.
        return rows_of_page({name: value for name, value in asked.items() if name != "before"}, caller)
    return PageOfQueue(
        *turned(
            page,
            asked["limit"],
            lambda end: _cursor(end, by),
            from_place=place is not None,
            backwards=backwards,
        )
    )


class _Place(NamedTuple):
    moment: str
    key: int
    severity: str = ""


def _cursor(end: Alert, by: str) -> str:
    moment = end.due_at if by == "due" else end.opened_at
    assert moment is not None
    severity = [end.severity] if by == "urgent" else []
    return cursor_of("alerts", [by, moment.isoformat(), end.pk, *severity])


def _urgent(rows: QuerySet[Alert], place: _Place | None, limit: int, *, backwards: bool) -> list[Alert]:
    """The gravest first, and of one severity what waits longest, which is due first too.

    Severities are asked for one by one: so each is found by the index on them.
    """
    severities = list(reversed(GRAVEST_FIRST) if backwards else GRAVEST_FIRST)
    page: list[Alert] = []
    for severity in severities[severities.index(place.severity) if place else 0 :]:
        here = place if place and severity == place.severity else None
        of_severity = _beside(rows.filter(severity=severity), "urgent", here, backwards=backwards)
        page += of_severity[: limit + 1 - len(page)]
        if len(page) > limit:
            break
    return page


def _beside(rows: QuerySet[Alert], by: str, place: _Place | None, *, backwards: bool) -> QuerySet[Alert]:
    """What comes after a place in an order, or before it; the plain bound there is what the index takes."""
    if place is None:
        return rows
    name, than = ORDERED_BY[by]
    if backwards:
        than = "lt" if than == "gt" else "gt"
    later = Q(**{f"{name}__{than}": place.moment}) | Q(**{name: place.moment, f"id__{than}": place.key})
    return rows.filter(Q(**{f"{name}__{than}e": place.moment}) & later)


def counts(caller: Caller) -> dict[str, Any]:
    """How many are not closed, and of which kind; with `complete` false there are more."""
    ((total, *found),) = bounded_queries.query(COUNT, {"me": caller.pk, "most": LOOKED_AT_MAX + 1})
    names = ("open", "in_review", "overdue", "unassigned", "mine")
    return {
        "not_closed": min(total, LOOKED_AT_MAX),
        **{name: min(count, LOOKED_AT_MAX) for name, count in zip(names, found, strict=False)},
        "by_severity": {
            severity: min(count, LOOKED_AT_MAX)
            for severity, count in zip(Severity.values, found[len(names) :], strict=True)
        },
        "complete": total <= LOOKED_AT_MAX,
    }


def as_dict(alert: Alert) -> dict[str, Any]:
    """An alert, without what made it."""
    return {
        "id": alert.pk,
        "version": alert.version,
        "rule": alert.rule,
        "rule_name": alert.rule_name,
        "severity": alert.severity,
        "user": alert.user,
        "state": alert.state,
        "opened_at": alert.opened_at,
        "due_at": alert.due_at,
        "overdue": is_overdue(alert),
        "assignee": None if alert.assignee is None else alert.assignee.get_username(),
        "touched_at": alert.touched_at,
        "hits": alert.hits,
        "suppressed": alert.suppressed,
        "closed_at": alert.closed_at,
        "closed_by": None if alert.closed_by is None else alert.closed_by.get_username(),
        "disposition": alert.disposition or None,
        "reason": alert.reason or None,
    }


def is_overdue(alert: Alert) -> bool:
    return alert.state != AlertState.CLOSED and alert.due_at is not None and alert.due_at < timezone.now()


class Badge(NamedTuple):
    """How many are not closed, in words as short as a badge, "" for none; and up to how many are counted."""

    text: str
    most: int


def badge(caller: Caller) -> Badge | None:
    """The menu's badge; None for who may not see alerts. Raises django.db.Error."""
    if not caller.has_perm("alerts.view_alert"):
        return None
    some = Alert.objects.exclude(state=AlertState.CLOSED).order_by()[: BADGE_MAX + 1]
    found = bounded_queries.in_time(some.count, BADGE_MS_MAX)
    if found is None:
        return Badge("?", BADGE_MAX)
    return Badge(f"{BADGE_MAX}+" if found > BADGE_MAX else str(found or ""), BADGE_MAX)
