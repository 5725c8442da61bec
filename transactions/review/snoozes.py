"""Snoozes as the API and the pages show them."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from ..alerts.models import Snooze
from ..reading.paging import Page, cursor_of, turned
from ..rules.models import Rule
from ..stores import bounded_queries


def found(asked: dict[str, Any]) -> QuerySet[Snooze]:
    """The snoozes that SnoozeParameters ask for, the one that ends last first."""
    rows = Snooze.objects.select_related("made_by", "ended_by", "alert").order_by("-ends_at", "-id")
    rows = rows.filter(**{name: asked[name] for name in ("rule", "user") if name in asked})
    if "in_force" in asked:
        in_force = Q(ends_at__gt=timezone.now())
        rows = rows.filter(in_force if asked["in_force"] else ~in_force)
    if "before" in asked:
        ends, key = asked["before"]
        rows = rows.filter(Q(ends_at__gte=ends) & (Q(ends_at__gt=ends) | Q(ends_at=ends, pk__gt=key)))
        return rows.reverse()
    if "cursor" in asked:
        ends, key = asked["cursor"]
        rows = rows.filter(Q(ends_at__lte=ends) & (Q(ends_at__lt=ends) | Q(ends_at=ends, pk__lt=key)))
    return rows


def page(asked: dict[str, Any]) -> Page:
    """One page of them, for the API."""
    rows, cursor, _ = rows_of_page(asked)
    names = rule_names(rows)
    return Page([as_dict(row, names) for row in rows], cursor)


def rows_of_page(asked: dict[str, Any]) -> tuple[list[Snooze], str | None, str | None]:
    """The snoozes of one page, after the place `cursor` or `before` another; and the cursors of the pages
    after and before it.
    """
    backwards = "before" in asked
    with bounded_queries.bounded():
        rows = list(found(asked)[: asked["limit"] + 1])
    if backwards and len(rows) <= asked["limit"]:
        # The first page is as full as any other.
        return rows_of_page({name: value for name, value in asked.items() if name != "before"})
    return turned(
        rows,
        asked["limit"],
        lambda row: cursor_of("snoozes", [row.ends_at.isoformat(), row.pk]),
        from_place="cursor" in asked,
        backwards=backwards,
    )


def rule_names(snoozes: list[Snooze]) -> dict[int, str]:
    """The names of their rules; one that is gone has none."""
    return dict(Rule.objects.filter(pk__in={each.rule for each in snoozes}).values_list("pk", "name"))


def one(key: int) -> dict[str, Any]:
    """A snooze. Raises Snooze.DoesNotExist."""
    snooze = Snooze.objects.select_related("made_by", "ended_by", "alert").get(pk=key)
    return as_dict(snooze, rule_names([snooze]))


def as_dict(snooze: Snooze, names: dict[int, str]) -> dict[str, Any]:
    """A snooze, with the name of its rule, or that which its alert has of one that is gone."""
    name = names.get(snooze.rule)
    if name is None and snooze.alert is not None:
        name = snooze.alert.rule_name
    return {
        "id": snooze.pk,
        "rule": snooze.rule,
        "rule_name": name,
        "user": snooze.user,
        "alert": snooze.alert_id,
        "reason": snooze.reason,
        "made_by": None if snooze.made_by is None else snooze.made_by.get_username(),
        "made_at": snooze.made_at,
        "ends_at": snooze.ends_at,
        "in_force": snooze.ends_at > timezone.now(),
        "ended_by": None if snooze.ended_by is None else snooze.ended_by.get_username(),
        "hits": snooze.hits,
    }
