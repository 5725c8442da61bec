"""The calls about backtests."""

from django.shortcuts import get_object_or_404
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ..openapi import backtests as operations
from ..rulebook import backtests
from ..rules import backtest_runs
from ..rules.models import Backtest, Rule
from .base import Conflict, Nothing
from .rule_view import CHANGES, RULE_REFUSALS, RuleView


class BacktestView(RuleView):
    """A call about the backtests of a rule."""

    refusals = {
        backtest_runs.RangeRefused: lambda error: ValidationError({"from": [str(error)]}),
        backtest_runs.BacktestRefused: lambda error: Conflict(str(error)),
        **RULE_REFUSALS,
    }


class Backtests(BacktestView):
    """GET the backtests of a rule; POST another one: 202, and where to watch it."""

    rights = CHANGES

    @operations.BACKTESTS
    def get(self, request: Request, id: str) -> Response:
        return Response({"results": backtests.newest(get_object_or_404(Rule, pk=id))})

    @operations.ADD_BACKTEST
    def post(self, request: Request, id: str) -> Response:
        rule = get_object_or_404(Rule, pk=id)
        valid = self.posted(request, backtests.NewBacktest).validated_data
        run = backtests.ask(rule, valid, self.author(request))
        where = request.build_absolute_uri(f"/api/rules/{rule.pk}/backtests/{run.pk}/")
        return Response(
            backtests.with_result(run), status=status.HTTP_202_ACCEPTED, headers={"Location": where}
        )


class BacktestDetail(BacktestView):
    """GET a backtest: how far it is, and what came of it."""

    @operations.BACKTEST
    def get(self, request: Request, id: str, backtest: str) -> Response:
        return Response(backtests.with_result(_run(id, backtest)))


class CancelBacktest(BacktestView):
    """POST the end of a backtest."""

    rights = CHANGES

    @operations.CANCEL_BACKTEST
    def post(self, request: Request, id: str, backtest: str) -> Response:
        run = _run(id, backtest)
        self.posted(request, Nothing)
        backtest_runs.cancel(run)
        return Response(backtests.with_result(_run(id, backtest)))


def _run(id: str, backtest: str) -> Backtest:
    found: Backtest = get_object_or_404(backtests.rows(int(id)), pk=backtest)
    return found
