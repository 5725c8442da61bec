"""The calls about alerts, snoozes, and how rules perform."""

from typing import Any

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ..access.rights import Right
from ..alerts import triage
from ..alerts.models import Alert, Snooze
from ..openapi import alerts as operations
from ..review import bodies, explanation, parameters, performance, queue, snoozes, steps
from .base import REFUSALS, JsonView, Nothing, in_bounds, paged

SEES = dict.fromkeys(("GET", "HEAD", "OPTIONS"), Right.VIEW_ALERTS)
CHANGES = {**SEES, "POST": Right.CHANGE_ALERTS}


class AlertRefusal(APIException):
    """The alert does not allow the step now; where somebody else was faster it says who, and what."""

    status_code = status.HTTP_409_CONFLICT

    def __init__(self, detail: dict[str, Any]) -> None:
        self.detail: Any = detail


class AlertView(JsonView):
    """A call about alerts."""

    rights = SEES
    refusals = {
        Alert.DoesNotExist: lambda error: NotFound(),
        Snooze.DoesNotExist: lambda error: NotFound(),
        **REFUSALS,
    }

    def caller(self, request: Request) -> User:
        """Who takes a step: it is kept with it, so somebody has to be known."""
        if not isinstance(request.user, User):
            raise PermissionDenied("Nobody is known as who does it: log in, or send a token.")
        return request.user

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, triage.Refused):
            exc = self._refused(exc)
        return super().handle_exception(exc)

    def _refused(self, refused: triage.Refused) -> APIException:
        if refused.field:
            return ValidationError({refused.field: [str(refused)]})
        told: dict[str, Any] = {"detail": str(refused)}
        last = None
        if isinstance(refused, triage.Overtaken):
            last = steps.last_step(int(self.kwargs["id"]))
        if last is not None:
            told |= {"step": last.step, "by": last.by_name, "at": last.at, "version": last.version}
        return AlertRefusal(told)


class Alerts(AlertView):
    """GET alerts, page by page."""

    asks = parameters.AlertParameters

    @operations.ALERTS
    @in_bounds
    def get(self, request: Request) -> Response:
        return paged(request, queue.page(self.asked.validated_data, request.user))


class AlertCounts(AlertView):
    """GET how many alerts are not closed, and of which kind."""

    @operations.COUNTS
    @in_bounds
    def get(self, request: Request) -> Response:
        return Response(queue.counts(request.user))


class AlertDetail(AlertView):
    """GET an alert, explained."""

    @operations.ALERT
    @in_bounds
    def get(self, request: Request, id: str) -> Response:
        return Response(explanation.one(int(id)))


class AlertStep(AlertView):
    """POST a step with an alert; what it has become is the answer."""

    rights = CHANGES
    step = ""

    def take(self, request: Request, id: str) -> Response:
        by = self.caller(request)
        form, take = steps.STEPS[self.step]
        get_object_or_404(Alert, pk=id)
        take(int(id), by, self.posted(request, form).validated_data)
        rows = Alert.objects.select_related("assignee", "closed_by")
        return Response(queue.as_dict(rows.get(pk=id)))


class ClaimAlert(AlertStep):
    step = "claim"

    @operations.CLAIM
    def post(self, request: Request, id: str) -> Response:
        return self.take(request, id)


class AssignAlert(AlertStep):
    step = "assign"

    @operations.ASSIGN
    def post(self, request: Request, id: str) -> Response:
        return self.take(request, id)


class ReleaseAlert(AlertStep):
    step = "release"

    @operations.RELEASE
    def post(self, request: Request, id: str) -> Response:
        return self.take(request, id)


class NoteOnAlert(AlertStep):
    step = "note"

    @operations.NOTE
    def post(self, request: Request, id: str) -> Response:
        return self.take(request, id)


class CloseAlert(AlertStep):
    step = "close"

    @operations.CLOSE
    def post(self, request: Request, id: str) -> Response:
        return self.take(request, id)


class ReopenAlert(AlertStep):
    step = "reopen"

    @operations.REOPEN
    def post(self, request: Request, id: str) -> Response:
        return self.take(request, id)


class SnoozeAlert(AlertStep):
    step = "snooze"

    @operations.SNOOZE
    def post(self, request: Request, id: str) -> Response:
        return self.take(request, id)


class UndoStep(AlertStep):
    step = "undo"

    @operations.UNDO
    def post(self, request: Request, id: str) -> Response:
        return self.take(request, id)


class BulkStep(AlertView):
    """POST one step with many alerts, each by itself."""

    rights = CHANGES

    @operations.BULK
    def post(self, request: Request) -> Response:
        by = self.caller(request)
        said = self.posted(request, bodies.Bulk).validated_data
        return Response(steps.with_many(said["step"], bodies.seen(said), by, said))


class Snoozes(AlertView):
    """GET snoozes, page by page."""

    asks = parameters.SnoozeParameters

    @operations.SNOOZES
    @in_bounds
    def get(self, request: Request) -> Response:
        return paged(request, snoozes.page(self.asked.validated_data))


class EndSnooze(AlertView):
    """POST the end of a snooze."""

    rights = CHANGES

    @operations.END_SNOOZE
    def post(self, request: Request, id: str) -> Response:
        by = self.caller(request)
        get_object_or_404(Snooze, pk=id)
        self.posted(request, Nothing)
        triage.wake(int(id), by)
        return Response(snoozes.one(int(id)))


class RulePerformance(AlertView):
    """GET how rules perform, page by page."""

    rights = dict.fromkeys(("GET", "HEAD", "OPTIONS"), Right.VIEW_RULES)
    asks = parameters.PerformanceParameters

    @operations.PERFORMANCE
    @in_bounds
    def get(self, request: Request) -> Response:
        return paged(request, performance.page(self.asked.validated_data))
