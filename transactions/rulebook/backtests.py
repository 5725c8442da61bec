"""Backtests as the API takes and shows them."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from ..fields import InstantField, WholeField
from ..reading.parameters import ZoneField
from ..rules import backtest_runs, lifecycle
from ..rules.kinds.registry import read_kept
from ..rules.models import Backtest, Rule
from ..rules.standing import said_by
from ..serializers import Posted
from .bodies import GapsField

# How many of a rule one answer lists, the newest: more are not kept for long.
LISTED_MAX = backtest_runs.KEPT_OF_RULE + backtest_runs.UNFINISHED_OF_RULE_MAX


class NewBacktest(Posted):
    """A version by its number, or a wording that is in none yet; without either the newest version."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            "version": WholeField(min_value=1, max_value=2**31 - 1, required=False),
            "kind": serializers.JSONField(required=False),
            "parameters": GapsField(required=False),
            "from": InstantField(required=False, allow_null=True, input_formats=["iso-8601"]),
            "to": InstantField(required=False, allow_null=True, input_formats=["iso-8601"]),
            "timezone": ZoneField(default="UTC"),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "version" in attrs:
            both = [name for name in ("kind", "parameters") if name in attrs]
            if both:
                raise serializers.ValidationError({name: ["Give this, or `version`."] for name in both})
        elif "kind" in attrs and "parameters" not in attrs:
            raise serializers.ValidationError({"parameters": ["Give the parameters of the kind too."]})
        return attrs


def ask(rule: Rule, valid: dict[str, Any], by: Any) -> Backtest:
    """Queues what a NewBacktest says. Raises Unfit, Version.DoesNotExist and BacktestRefused."""
    asked = {"begin": valid.get("from"), "end": valid.get("to"), "timezone": valid["timezone"], "by": by}
    if "parameters" in valid:
        stands = said_by(rule)
        form = lifecycle.checked_form(
            valid.get("kind", None if stands is None else stands.kind), valid["parameters"]
        )
        return backtest_runs.ask(rule, form=form, **asked)
    versions = rule.versions.order_by("-number")
    version = versions.get(number=valid["version"]) if "version" in valid else versions[:1].get()
    return backtest_runs.ask(rule, version=version, **asked)


def rows(rule: int) -> QuerySet[Backtest]:
    """The backtests of a rule, the newest first, with all that is shown of them."""
    return Backtest.objects.filter(rule=rule).select_related("version", "beside", "asked_by").order_by("-id")


def newest(rule: Rule) -> list[dict[str, Any]]:
    """The backtests of a rule, the newest first, without their results."""
    return [as_dict(each) for each in rows(rule.pk).defer("result")[:LISTED_MAX]]


def with_result(run: Backtest) -> dict[str, Any]:
    """A backtest and what came of it: null until it is done."""
    return {**as_dict(run), "result": run.result}


def as_dict(run: Backtest) -> dict[str, Any]:
    """A backtest, and how far it is: `progress` from 0 to 1."""
    return {
        "id": run.pk,
        "rule": run.rule_id,
        "version": None if run.version is None else run.version.number,
        "kind": run.kind,
        "parameters": run.parameters,
        "sentence": read_kept(run.kind, run.parameters).sentence(),
        "beside": None if run.beside is None else run.beside.number,
        "from": run.begin,
        "to": run.end,
        "timezone": run.timezone,
        "state": run.state,
        "progress": round(run.steps_done / run.steps, 3) if run.steps else 0,
        "asked_by": None if run.asked_by is None else run.asked_by.get_username(),
        "asked_at": run.asked_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "cancel_asked": run.cancel_asked,
        "error": run.error or None,
    }
