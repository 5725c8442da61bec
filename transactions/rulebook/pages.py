"""Rules, versions, hits and lists as the API shows them, page by page, each page by one or two queries."""

from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from ..reading.paging import Page, cursor_of, page_of
from ..rules import user_lists
from ..rules.activity import COUNTED_MAX, hits_lately
from ..rules.kinds.kind import Kind
from ..rules.kinds.registry import explained, read_kept
from ..rules.models import Hit, ListEntry, Rule, UserList, Version, VersionState
from ..rules.standing import said_by, with_said
from ..stores.bounded_queries import in_time
from . import parameters

# Purpose: one page of hits, of each version by the index hit_by_version, of one user by hit_by_user.
SELECT_HITS = f"""
    SELECT h.* FROM unnest(%(versions)s::bigint[]) v (id)
     CROSS JOIN LATERAL (
        SELECT * FROM {Hit._meta.db_table} h
         WHERE h.version_id = v.id AND {{conditions}}
         ORDER BY h.raised_at DESC, h.id DESC LIMIT %(rows)s) h
     ORDER BY h.raised_at DESC, h.id DESC LIMIT %(rows)s
"""


# --- Rules -------------------------------------------------------------------------------------


def _with_versions(rules: QuerySet[Rule]) -> list[Rule]:
    """The rules with all their versions, and what these found lately as `lately`."""
    versions = Version.objects.select_related("author", "approver")
    found = list(rules.prefetch_related(Prefetch("versions", versions)))
    judged = [
        (rule.pk, version.pk)
        for rule in found
        for version in rule.versions.all()
        if version.effective_from is not None
    ]
    counted = in_time(lambda: hits_lately(judged))
    for rule in found:
        rule.lately = _hits(counted, rule.pk)  # type: ignore[attr-defined]
    return found


def _hits(counted: dict[int, list[int]] | None, rule: int) -> tuple[int | None, int | None]:
    """Of 7 and of 30 days, those in shadow too."""
    if counted is None:
        return None, None
    week, month, shadow_week, shadow_month = counted.get(rule, [0, 0, 0, 0])
    return min(week + shadow_week, COUNTED_MAX), min(month + shadow_month, COUNTED_MAX)


def rules(asked: dict[str, Any]) -> Page:
    """One page of the rules that RuleParameters ask for, in the order in which they were made."""
    found = Rule.objects.order_by("pk")
    of_version = {f"said_{name}": asked[name] for name in ("state", "kind") if name in asked}
    if of_version:
        found = with_said(found).filter(**of_version)
    found = found.filter(**{name: asked[name] for name in ("name", "severity") if name in asked})
    if "cursor" in asked:
        found = found.filter(pk__gt=asked["cursor"][0])
    rows = _with_versions(found[: asked["limit"] + 1])
    return page_of(rows, asked["limit"], _rule, lambda rule: cursor_of(parameters.RULES, [rule.pk]))


def rule(pk: int) -> dict[str, Any]:
    """One rule, with its versions, the newest first. Raises Rule.DoesNotExist."""
    rows = _with_versions(Rule.objects.filter(pk=pk))
    if not rows:
        raise Rule.DoesNotExist
    found = rows[0]
    versions = sorted(found.versions.all(), key=lambda version: -version.number)
    return {**_rule(found), "versions": [version_as_dict(each) for each in versions]}


def _rule(rule: Any) -> dict[str, Any]:
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
        "hits_7_days": rule.lately[0],
        "hits_30_days": rule.lately[1],
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
    return read_kept(version.kind, version.parameters).sentence()


# --- Hits --------------------------------------------------------------------------------------


def hits(rule: Rule, asked: dict[str, Any]) -> Page:
    """One page of the hits of a rule that HitParameters ask for, the latest raised first.

    Raises Version.DoesNotExist.
    """
    asked_for = rule.versions.all()
    if "version" in asked:
        asked_for = asked_for.filter(number=asked["version"])
        if not asked_for:
            raise Version.DoesNotExist
    versions = {version.pk: version for version in asked_for if version.effective_from is not None}
    kinds = {pk: read_kept(version.kind, version.parameters) for pk, version in versions.items()}
    bound: dict[str, Any] = {"versions": list(versions), "rows": asked["limit"] + 1}
    conditions = ["true"]
    if "user" in asked:
        conditions.append('h."user" = %(user)s')
        bound["user"] = asked["user"]
    if "cursor" in asked:
        conditions.append("(h.raised_at, h.id) < (%(raised_at)s::timestamptz, %(id)s)")
        bound["raised_at"], bound["id"] = asked["cursor"]
    rows = list(Hit.objects.raw(SELECT_HITS.format(conditions=" AND ".join(conditions)), bound))
    return page_of(
        rows,
        asked["limit"],
        lambda hit: _hit(hit, versions[hit.version_id].number, kinds[hit.version_id]),
        lambda hit: cursor_of(parameters.HITS, [hit.raised_at.isoformat(), hit.pk]),
    )


def _hit(hit: Hit, version: int, kind: Kind) -> dict[str, Any]:
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
        "explanation": explained(kind, hit.figures) or None,
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
    rows = list(user_lists.with_standing(found)[: asked["limit"] + 1])
    return page_of(rows, asked["limit"], _list, lambda users: cursor_of(parameters.LISTS, [users.pk]))


def user_list(pk: int) -> dict[str, Any]:
    """One list. Raises UserList.DoesNotExist."""
    return _list(user_lists.with_standing(UserList.objects.all()).get(pk=pk))


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
        stands = user_lists.in_force()
        found = found.filter(stands if asked["standing"] else ~stands)
    if "cursor" in asked:
        user, starts, id = asked["cursor"]
        later = Q(user=user) & (Q(starts_at__gt=starts) | Q(starts_at=starts, pk__gt=id))
        found = found.filter(Q(user__gte=user) & (Q(user__gt=user) | later))
    rows = list(found[: asked["limit"] + 1])
    return page_of(
        rows,
        asked["limit"],
        entry_as_dict,
        lambda entry: cursor_of(parameters.ENTRIES, [entry.user_id, entry.starts_at.isoformat(), entry.pk]),
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
