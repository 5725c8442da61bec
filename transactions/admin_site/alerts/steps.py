"""Steps with alerts by clicks: one by one, or many at once. The forms hold the version that was seen."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from ...alerts import triage
from ...alerts.models import Alert, Snooze
from ...review import links, steps
from ...review.bodies import BULK_MAX
from .. import form_faults
from ..lists import is_key
from ..sent_once import NothingStored, sent_once
from . import kept_text, rights

# For how many days a snooze may be asked for by a click.
SNOOZE_DAYS = (1, 7, 30, 90, triage.SNOOZE_DAYS_MAX)
# Where a session keeps what was done with many at last, until it has been offered to be undone.
UNDO_KEY = "alerts_undo"
DONE = {
    "claim": "claimed",
    "assign": "assigned",
    "release": "put back into the queue",
    "close": "closed",
    "snooze": "closed and snoozed",
    "reopen": "opened again",
    "undo": "as before",
}
# Fields of the forms that are handed on as they were typed.
TYPED = ("assignee", "disposition", "reason", "text")
# What the forms call them, and what is told of them.
CALLED = {"assignee": "To", "disposition": "Close as", "reason": "Because", "text": "A note", "until": "For"}
CALLED_OF_MANY = {**CALLED, "disposition": "It was"}
# What is said where one of them is empty.
LACKING = {
    "assignee": "Say to whom.",
    "disposition": "Say what it was.",
    "reason": "Say why.",
    "text": "Write something.",
}


@require_POST
@sent_once
def take(request: HttpRequest, alert: int, step: str) -> HttpResponse:
    """A step with one alert; then its page again."""
    rights.demand(rights.may_change(request.user))
    if step not in steps.STEPS:
        raise Http404("There is no such step.")
    if not Alert.objects.filter(pk=alert).exists():
        raise Http404("There is no such alert.")
    form, _ = steps.STEPS[step]
    said, wrong = _checked(request, form, request.POST.get("version", ""), CALLED)
    try:
        if wrong:
            raise triage.Refused(f"Nothing has changed. {wrong}")
        if step == "close" and (days := _days(request)):
            _close_and_snooze(alert, _by(request), said, days)
        else:
            _take(step, alert, _by(request), said)
    except triage.Refused as refused:
        kept_text.keep(request, str(alert), step)
        raise NothingStored(links.alert(alert), str(refused)) from None
    except Alert.DoesNotExist:
        raise Http404("There is no such alert.") from None
    if step == "undo":
        messages.success(request, "It is undone: the alert is as it was before.")
    return redirect(links.alert(alert))


@require_POST
def end_snooze(request: HttpRequest, snooze: int) -> HttpResponse:
    """Then the page of its alert again, or the list where that was clicked."""
    rights.demand(rights.may_change(request.user))
    try:
        triage.wake(snooze, _by(request))
        messages.success(request, "The snooze has ended: what is found from now on opens an alert.")
    except triage.Refused as refused:
        messages.error(request, str(refused))
    except (Snooze.DoesNotExist, Alert.DoesNotExist):
        raise Http404("There is no such snooze.") from None
    alert = request.POST.get("alert", "")
    if is_key(alert):
        return redirect("admin:alerts_alert_change", int(alert))
    return redirect("admin:alerts_alert_snoozes")


@require_POST
def take_many(request: HttpRequest) -> HttpResponse:
    """A step with those that are chosen, each by itself; then the queue again."""
    rights.demand(rights.may_change(request.user))
    step, chosen = request.POST.get("step", ""), _chosen(request)
    if step not in DONE:
        raise Http404("There is no such step.")
    back = _back(request)
    if not chosen:
        messages.error(request, "Choose some alerts first.")
        return redirect(back)
    if len(chosen) > BULK_MAX:
        messages.error(request, f"At most {BULK_MAX} alerts at once; nothing was done.")
        return redirect(back)
    form, _ = steps.STEPS["close" if step == "snooze" else step]
    said, wrong = _checked(
        request, form, "1", CALLED_OF_MANY, reason="release_reason" if step == "release" else "reason"
    )
    days = _days(request)
    if step == "snooze" and not days and not wrong:
        wrong = "Say for how long they are snoozed."
    if wrong:
        messages.error(request, f"Nothing has changed. {wrong}")
        kept_text.keep(request, "many", step, chosen=True)
        return redirect(back)
    by = _by(request)

    def one(alert: int, seen: int) -> None:
        if step == "snooze":
            _close_and_snooze(alert, by, {**said, "version": seen}, days)
        else:
            _take(step, alert, by, {**said, "version": seen})

    done, refused = triage.each(chosen, one)
    _tell(request, step, done, refused)
    if refused:
        kept_text.keep(request, "many", step)
    return redirect(back)


def _tell(request: HttpRequest, step: str, done: list[int], refused: dict[int, str]) -> None:
    if done:
        what = f"{len(done)} alert{'s' if len(done) > 1 else ''} {DONE[step]}."
        if step == "undo":
            messages.success(request, what)
        else:
            versions = dict(Alert.objects.filter(pk__in=done).values_list("pk", "version"))
            keys = [f"{key}:{version}" for key, version in versions.items()]
            request.session[UNDO_KEY] = {"what": what, "alerts": keys}
    for alert, why in list(refused.items())[:5]:
        messages.error(request, f"Alert {alert}: {why}")
    if len(refused) > 5:
        messages.error(request, f"… and {len(refused) - 5} more were not taken.")


def _take(step: str, alert: int, by: User, said: dict[str, Any]) -> None:
    steps.STEPS[step][1](alert, by, said)


def _close_and_snooze(alert: int, by: User, said: dict[str, Any], days: int) -> None:
    """Both, or neither: what is told of is what has changed. Raises triage.Refused."""
    until = timezone.now() + timedelta(days=days)
    reason = said["reason"][: triage.SNOOZE_REASON_CHARACTERS_MAX]
    with transaction.atomic():
        _take("close", alert, by, said)
        triage.snooze(alert, by, said["version"] + 1, until, reason)


def _checked(
    request: HttpRequest, form: type[Any], version: str, called: dict[str, str], *, reason: str = "reason"
) -> tuple[dict[str, Any], str]:
    """What was typed, as the API takes it, and what is wrong, by the label of its field.

    `called` are the labels; `reason` is under which name the form sends that.
    """
    typed: dict[str, Any] = {name: request.POST.get(name, "") for name in TYPED}
    typed |= {"version": version, "reason": request.POST.get(reason, "")}
    if days := _days(request):
        typed["until"] = (timezone.now() + timedelta(days=days)).isoformat()
    wanted = form().fields
    for name, lacks in LACKING.items():
        if name in wanted and wanted[name].required and not typed[name].strip():
            return {}, lacks
    posted = form(data={name: value for name, value in typed.items() if name in wanted})
    if posted.is_valid():
        return posted.validated_data, ""
    name, told = next(iter(posted.errors.items()))
    return {}, f"{called.get(name, name.capitalize())}: {form_faults.of_api(told[0])}"


def _days(request: HttpRequest) -> int:
    """For how long it is snoozed; 0 where it is not."""
    typed = request.POST.get("days", "")
    return int(typed) if typed in {str(days) for days in SNOOZE_DAYS} else 0


def _chosen(request: HttpRequest) -> dict[int, int]:
    """The versions seen of the alerts that are chosen. What is no such pair was not made by our pages."""
    pairs = (text.partition(":") for text in request.POST.getlist("alert"))
    return {
        int(alert): min(int(seen), 2**31 - 1) for alert, _, seen in pairs if is_key(alert) and is_key(seen)
    }


def _back(request: HttpRequest) -> str:
    there = request.POST.get("back", "")
    own = reverse("admin:alerts_alert_changelist")
    safe = url_has_allowed_host_and_scheme(there, allowed_hosts=None) and there.startswith(own)
    return there if safe else own


def _by(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
