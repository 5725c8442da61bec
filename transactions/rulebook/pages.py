"""Rules, versions, hits and lists as the API shows them, page by page, each page by one or two queries."""

from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from ..reading.listing import Page
from ..rules.documents import said_by
from ..rules.kinds.registry import read
from ..rules.models import Hit, ListEntry, Rule, UserList, Version, VersionState
from .parameters import cursor_of

# Beyond it nothing is counted: a rule that everything hits costs its reader no more than another.
COUNTED_MAX = 10_000
DAYS = (7, 30)

# Purpose: hits of a version that were raised lately, by the index hit_by_version.
COUNT_HITS = f"""
    (SELECT count(*) FROM (SELECT FROM {Hit._meta.db_table} h
      WHERE h.version_id = {Version._meta.db_table}.id AND h.raised_at > now() - make_interval(days => %s)
      LIMIT %s) counted)
"""
# Purpose: users who stand on a list now.
COUNT_STANDING = f"""
    (SELECT count(*) FROM (SELECT FROM {ListEntry._meta.db_table} e
      WHERE e.list_id = {UserList._meta.db_table}.id AND e.starts_at <= now()
        AND coalesce(e.ends_at > now(), true)
      LIMIT %s) counted)
"""
# Purpose: one page of hits, of each version by the index hit_by_version.
SELECT_HITS = f"""
    SELECT h.* FROM unnest(%(versions)s::bigint[]) v (id)
     CROSS JOIN LATERAL (
        SELECT * FROM {Hit._meta.db_table} h
         WHERE h.version_id = v.id AND {{conditions}}
         ORDER BY h.raised_at DESC, h.id DESC LIMIT %(rows)s) h
     ORDER BY h.raised_at DESC, h.id DESC LIMIT %(rows)s
"""


def _page(pages: str, rows: list[Any], limit: int, shown: Any, place: Any) -> Page:
    """A page of the first `limit` of rows, of which one more was asked for."""
    more, rows = len(rows) > limit, rows[:limit]
    return Page([shown(row) for row in rows], cursor_of(pages, place(rows[-1])) if more else None)


# --- Rules -------------------------------------------------------------------------------------


def _with_versions(rules: QuerySet[Rule]) -> QuerySet[Rule]:
    counted = {f"hits_{days}_days": RawSQL(COUNT_HITS, [days, COUNTED_MAX]) for days in DAYS}
    versions = Version.objects.annotate(**counted).select_related("author", "approver")
    return rules.prefetch_related(Prefetch("versions", versions))


def rules(asked: dict[str, Any]) -> Page:
    """One page of the rules that RuleParameters ask for, in the order in which they were made."""
    found = Rule.objects.order_by("pk")
    of_version = {name: asked[name] for name in ("state", "kind") if name in asked}
    if of_version:
        found = found.filter(Exists(Version.objects.filter(rule=OuterRef("pk"), **of_version)))
    found = found.filter(**{name: asked[name] for name in ("name", "severity") if name in asked})
    if "cursor" in asked:
        found = found.filter(pk__gt=asked["cursor"][0])
    rows = list(_with_versions(found)[: asked["limit"] + 1])
    return _page("rules", rows, asked["limit"], _rule, lambda rule: [rule.pk])


def rule(pk: int) -> dict[str, Any]:
    """One rule, with its versions, the newest first. Raises Rule.DoesNotExist."""
    found = _with_versions(Rule.objects.all()).get(pk=pk)
    versions = sorted(found.versions.all(), key=lambda version: -version.number)
    return {**_rule(found), "versions": [version_as_dict(each) for each in versions]}


def _rule(rule: Rule) -> dict[str, Any]:
    version, versions = said_by(rule), rule.versions.all()
    submitted = [each.number for each in versions if each.state == VersionState.SUBMITTED]
    return {
        "id": rule.pk,
        "name": rule.name,
        "severity": rule.severity,
        "description": rule.description,
        "version": None if version is None else version.number,
        "state": None if version is None else version.state,
        "sentence": None if version is None else _sentence(version),
        "submitted": max(submitted, default=None),
        # Each version was counted up to the same number; so is the rule.
        **{
            f"hits_{days}_days": min(
                COUNTED_MAX, sum(getattr(each, f"hits_{days}_days") for each in versions)
            )
            for days in DAYS
        },
    }


def version_as_dict(version: Version) -> dict[str, Any]:
    """A version, with the names of its author and approver."""
    return {
        "number": version.number,
        "kind": version.kind,
        "parameters": version.parameters,
        "sentence": _sentence(version),
        "severity": version.severity,
        "description": version.description,
        "state": version.state,
        "author": None if version.author is None else version.author.get_username(),
        "made_at": version.made_at,
        "submitted_at": version.submitted_at,
        "approver": None if version.approver is None else version.approver.get_username(),
        "approved_at": version.approved_at,
        "effective_from": version.effective_from,
        "effective_until": version.effective_until,
    }


def _sentence(version: Version) -> str:
    return read(version.kind, version.parameters).sentence()


# --- Hits --------------------------------------------------------------------------------------


def hits(rule: Rule, asked: dict[str, Any]) -> Page:
    """One page of the hits of a rule that HitParameters ask for, the latest raised first."""
    judged = rule.versions.exclude(effective_from=None)
    if "version" in asked:
        judged = judged.filter(number=asked["version"])
    numbers = dict(judged.values_list("pk", "number"))
    parameters: dict[str, Any] = {"versions": list(numbers), "rows": asked["limit"] + 1}
    conditions = ["true"]
    if "user" in asked:
        conditions.append('h."user" = %(user)s')
        parameters["user"] = asked["user"]
    if "cursor" in asked:
        conditions.append("(h.raised_at, h.id) < (%(raised_at)s::timestamptz, %(id)s)")
        parameters["raised_at"], parameters["id"] = asked["cursor"]
    rows = list(Hit.objects.raw(SELECT_HITS.format(conditions=" AND ".join(conditions)), parameters))
    return _page(
        "hits",
        rows,
        asked["limit"],
        lambda hit: _hit(hit, numbers[hit.version_id]),
        lambda hit: [hit.raised_at.isoformat(), hit.pk],
    )


def _hit(hit: Hit, version: int) -> dict[str, Any]:
    return {
        "id": hit.pk,
        "version": version,
        "transaction": hit.transaction,
        "transaction_id": hit.transaction_id or None,
        "user": hit.user,
        "amount": hit.amount,
        "status": hit.status or None,
        "happened_at": hit.happened_at,
        "figures": hit.figures,
        "raised_at": hit.raised_at,
        "alert": hit.alert_id,
        "suppressed": hit.suppressed or None,
    }


# --- Lists of users ----------------------------------------------------------------------------


def lists(asked: dict[str, Any]) -> Page:
    """One page of the lists that ListsParameters ask for, in the order in which they were made."""
    found = UserList.objects.order_by("pk").filter(**{name: asked[name] for name in asked if name == "name"})
    if "cursor" in asked:
        found = found.filter(pk__gt=asked["cursor"][0])
    rows = list(_counted(found)[: asked["limit"] + 1])
    return _page("lists", rows, asked["limit"], _list, lambda users: [users.pk])


def user_list(pk: int) -> dict[str, Any]:
    """One list. Raises UserList.DoesNotExist."""
    return _list(_counted(UserList.objects.all()).get(pk=pk))


def _counted(lists: QuerySet[UserList]) -> Any:
    return lists.annotate(standing=RawSQL(COUNT_STANDING, [COUNTED_MAX]))


def _list(users: Any) -> dict[str, Any]:
    return {
        "id": users.pk,
        "name": users.name,
        "description": users.description,
        "made_at": users.made_at,
        "standing": users.standing,
    }


def entries(users: UserList, asked: dict[str, Any]) -> Page:
    """One page of a list's entries that EntryParameters ask for, by user, by the index entry_by_user."""
    found = users.entries.order_by("user_id", "starts_at", "pk").select_related("made_by")
    if "user" in asked:
        found = found.filter(user=asked["user"])
    if "standing" in asked:
        stands = Q(starts_at__lte=Now()) & (Q(ends_at=None) | Q(ends_at__gt=Now()))
        found = found.filter(stands if asked["standing"] else ~stands)
    if "cursor" in asked:
        user, starts, id = asked["cursor"]
        later = Q(user=user) & (Q(starts_at__gt=starts) | Q(starts_at=starts, pk__gt=id))
        found = found.filter(Q(user__gte=user) & (Q(user__gt=user) | later))
    rows = list(found[: asked["limit"] + 1])
    return _page(
        "entries",
        rows,
        asked["limit"],
        entry_as_dict,
        lambda entry: [entry.user_id, entry.starts_at.isoformat(), entry.pk],
    )


def entry_as_dict(entry: ListEntry) -> dict[str, Any]:
    """An entry, with the name of who made it."""
    return {
        "id": entry.pk,
        "user": entry.user_id,
        "comment": entry.comment,
        "made_by": None if entry.made_by is None else entry.made_by.get_username(),
        "made_at": entry.made_at,
        "starts_at": entry.starts_at,
        "ends_at": entry.ends_at,
    }
