"""What is done to rules by a click: the starter rules imported; versions submitted, approved, ended."""

from datetime import timedelta

from django.contrib import messages
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from ...rules import documents, lifecycle
from ...rules.models import Version, VersionState
from ...timezones import to_the_minute
from ..lists import whole_number
from ..sent_once import sent_once
from . import backtests, page, rights
from .links import page_of

# Days of history for which a version may raise hits when it comes into force.
PAST_DAYS_MAX = 365
BUSY = "Transactions are being judged just now, and for longer than is waited for. Try it again."


@require_POST
def import_starter(request: HttpRequest) -> HttpResponse:
    """Makes drafts of the rules that come along."""
    rights.demand(rights.may_change(request.user))
    document = documents.parse(documents.STARTER.read_text())
    try:
        imported = documents.import_rules(document, request.user)
    except (documents.DocumentRefused, lifecycle.StepRefused) as refused:
        messages.error(request, f"Nothing was imported. {_why(refused)}")
        return redirect("admin:rules_rule_changelist")
    text = f"{len(imported.drafts)} drafts were made. Try one on what has happened, then submit it."
    if not imported.drafts:
        text = "All starter rules are here already."
    messages.success(request, text)
    return redirect("admin:rules_rule_changelist")


def _why(refused: documents.DocumentRefused | lifecycle.StepRefused) -> str:
    """In sentences; the lines of the file that comes along are nothing to whoever reads it."""
    if isinstance(refused, documents.DocumentRefused):
        return " ".join(f"{each.reason[:1].upper()}{each.reason[1:]}." for each in refused.problems)
    return str(refused)


@require_POST
def take(request: HttpRequest, rule: int, number: int, step: str) -> HttpResponse:
    """A step of a version: submit, approve or end; then the rule's page again."""
    if step not in STEPS:
        raise Http404("There is no such step.")
    version = Version.objects.select_related("rule").filter(rule=rule, number=number).first()
    if version is None:
        raise Http404("There is no such version.")
    try:
        return STEPS[step](request, version) or redirect(page_of(version.rule))
    except lifecycle.StepRefused as refused:
        messages.error(request, f"Nothing has changed. {refused}")
    except OperationalError:
        messages.error(request, BUSY)
    return redirect(page_of(version.rule))


@sent_once
def ask_for_backtest(request: HttpRequest, rule: int) -> HttpResponse:
    """Asks for a backtest of a version, and shows it; entered again, its address shows the rule."""
    held = page.rule_or_404(rule)
    if request.method != "POST":
        return redirect(page_of(held))
    asked = backtests.ask(request, held, request.POST.get("version", ""))
    if isinstance(asked, backtests.AskedRange):
        return page.show(request, rule, asked=asked)
    return redirect(backtests.url_of(asked))


def _submit(request: HttpRequest, version: Version) -> None:
    rights.demand(rights.may_change(request.user))
    lifecycle.submit(version, request.user)
    messages.success(request, f"Version {version.number} waits for approval.")


def _approve(request: HttpRequest, version: Version) -> HttpResponse | None:
    rights.demand(rights.may_approve(request.user))
    shadow = request.POST.get("state") == VersionState.SHADOW
    typed = request.POST.get("days", "").strip()[:40]
    try:
        days = _days(typed)
    except ValueError as error:
        approval = page.TypedApproval(version.number, shadow, typed, str(error))
        return page.show(request, version.rule_id, approval=approval)
    begin = timezone.now().replace(second=0, microsecond=0) - timedelta(days=days) if days else None
    lifecycle.approve(version, request.user, shadow=shadow, begin=begin)
    how = "runs in shadow" if shadow else "is in force"
    from_when = version.effective_from
    assert from_when is not None
    text = f"Version {version.number} {how}, for what happens from {to_the_minute(from_when)} on."
    messages.success(request, text)
    return None


def _days(typed: str) -> int:
    """Days of the past that are judged too. Raises ValueError, which says what would be right."""
    if not typed:
        return 0
    days = whole_number(typed, PAST_DAYS_MAX)
    if days is None:
        raise ValueError(f"The days must be a whole number from 0 to {PAST_DAYS_MAX}.")
    return days


def _end(request: HttpRequest, version: Version) -> None:
    rights.demand(rights.may_end(request.user, version))
    end_it = lifecycle.retire if rights.may_approve(request.user) else lifecycle.withdraw
    end_it(version, request.user)
    end = version.effective_until
    when = f" for what happens from {to_the_minute(end)} on" if end else ""
    messages.success(request, f"Version {version.number} is retired{when}.")


STEPS = {"submit": _submit, "approve": _approve, "retire": _end}
