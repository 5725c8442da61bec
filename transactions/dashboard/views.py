"""The dashboard's page and its figures: read the request, call one function, answer."""

import logging
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

import redis
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from psycopg2.errors import QueryCanceled

from ..access.callers import rights_of_caller
from ..access.plain_views import View, readers_only
from ..access.rights import Right, rights_of
from ..live.start import start
from ..models import Status
from ..reading.averages import TooManyQuestions
from ..reading.parameters import Parameters
from ..reading.story import StoryParameters
from ..review import deletions, queue, transaction
from . import alarms, first_hour
from .alerts import shared_alerts
from .averages import RangeParameters, beside_days_before
from .customer_names import NamesParameters, names_asked
from .periods import COMPARISONS, DEFAULT_COMPARISON, DEFAULT_PERIOD, PERIODS, PeriodParameters
from .shared_figures import shared_figures

log = logging.getLogger(__name__)

Figure = Callable[[HttpRequest, Any], HttpResponse]

POSTGRES_AWAY = "PostgreSQL does not answer in time."


def with_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the admin's first page, with the dashboard for who may read."""
    rights = rights_of(request.user)
    context = {**context, "alarms": alarms.seen_with(rights)}
    if Right.READ not in rights:
        return context
    urls = {
        "figures": reverse("dashboard-figures"),
        "averages": reverse("dashboard-averages"),
        "start": reverse("dashboard-start"),
        "names": reverse("dashboard-names"),
        "refused": reverse("dashboard-refused"),
        "story": reverse("dashboard-story"),
        "page": reverse("admin:transactions_transaction_story"),
        "transactions": reverse("admin:transactions_transaction_changelist"),
        "customers": reverse("admin:transactions_customer_changelist"),
        "rejected": reverse("admin:transactions_rejectedrecord_changelist"),
    }
    if Right.VIEW_ALERTS in rights:
        urls |= {"alerts": reverse("dashboard-alerts"), "queue": reverse("admin:alerts_alert_changelist")}
    shown = {
        "urls": urls,
        "periods": [(name, f"{name.rstrip('mhd')} {name[-1]}", name == DEFAULT_PERIOD) for name in PERIODS],
        "comparisons": [(name, name.replace("-", " "), name == DEFAULT_COMPARISON) for name in COMPARISONS],
        "statuses": Status.choices,
        "may_take": Right.CHANGE_ALERTS in rights,
    }
    return {**context, "title": "Overview", "dashboard": shown, "first_hour": first_hour.seen_by(request)}


def _figure(
    parameters: type[Parameters[Any]] = Parameters, rights: Collection[Right] = (Right.READ,)
) -> Callable[[Figure], View]:
    """A decorator for a figure, which gets what was asked for: a view for who has one of the rights.

    What is no parameter of it is a 400, and a store that is away a 503 that says which; its `part` is how
    the parts of the system call it.
    """

    def decorator(figure: Figure) -> View:
        @readers_only(forbidden="Log in again: you may not read this.", away=POSTGRES_AWAY, rights=rights)
        @wraps(figure)
        def guarded(request: HttpRequest) -> HttpResponse:
            asked = parameters(data=request.GET)
            try:
                return figure(request, asked) if asked.is_valid() else JsonResponse(asked.errors, status=400)
            except redis.RedisError as error:
                log.warning("A figure of the dashboard needs Redis (%s)", type(error).__name__)
                return JsonResponse({"detail": "Redis does not answer.", "part": "redis"}, status=503)
            except DatabaseError as error:
                log.warning("A figure of the dashboard needs PostgreSQL (%s)", type(error).__name__)
                # A statement that was given up tells of itself alone.
                part = {} if isinstance(error.__cause__, QueryCanceled) else {"part": "postgres"}
                return JsonResponse({"detail": POSTGRES_AWAY, **part}, status=503)
            except TooManyQuestions as error:
                return JsonResponse({"detail": error.detail}, status=error.status_code)

        return require_safe(never_cache(guarded))

    return decorator


@_figure(PeriodParameters)
def show_figures(request: HttpRequest, asked: PeriodParameters) -> HttpResponse:
    """Every figure of a period but the averages; null for what PostgreSQL does not tell in time.

    For who may see alerts also those that were opened in the period, and one about what is wrong.
    """
    choice = asked.choice()
    told = shared_figures.everything(choice)
    shown = told.as_dict()
    if Right.VIEW_ALERTS in rights_of_caller(request):
        shown |= shared_alerts.beside(choice.name, told.wrong and told.wrong.data)._asdict()
    return JsonResponse(shown)


@_figure()
def show_start(_: HttpRequest, __: Parameters[Any]) -> HttpResponse:
    """Where a fresh page begins in the feed: its epoch, and a number a few records back."""
    return JsonResponse(start()._asdict())


@_figure(NamesParameters)
def show_names(_: HttpRequest, asked: NamesParameters) -> HttpResponse:
    """The names of customers by key: the websocket's frames have their keys alone."""
    return JsonResponse({"names": names_asked(asked)})


@_figure()
def show_refused(_: HttpRequest, __: Parameters[Any]) -> HttpResponse:
    """The latest records that the flush refused: by numbers alone the live table would call them stored."""
    return JsonResponse(shared_figures.refused())


@_figure(RangeParameters)
def show_averages(_: HttpRequest, asked: RangeParameters) -> HttpResponse:
    """The daily averages of a range (by default the last 30 days) and of as many days before it."""
    return JsonResponse(beside_days_before(asked.question()))


@_figure(rights=[Right.VIEW_ALERTS])
def show_alerts(_: HttpRequest, __: Parameters[Any]) -> HttpResponse:
    """How many alerts are open, how grave, and the gravest of them."""
    return JsonResponse(shared_alerts.told())


@_figure(rights=alarms.SEEN_WITH)
def show_alarms(request: HttpRequest, _: Parameters[Any]) -> HttpResponse:
    """The card of the system's own alarms, as the page has it, for a page that stays open."""
    shown = alarms.seen_with(rights_of_caller(request))
    return render(request, "transactions/dashboard/alarms.html", {"alarms": shown})


@_figure()
def show_condition(request: HttpRequest, _: Parameters[Any]) -> HttpResponse:
    """The chip of the system and the menu's count of alerts, as each page has them, for a page that stays."""
    return render(request, "transactions/frame/condition.html", {"badge": _badge(request)})


def _badge(request: HttpRequest) -> queue.Badge | None:
    """None for who may not see alerts, and where PostgreSQL does not answer: the chip tells that."""
    try:
        return queue.badge(request.user)
    except DatabaseError as error:
        log.warning("Open alerts cannot be counted (%s)", type(error).__name__)
        return None


@never_cache
def show_system(request: HttpRequest) -> HttpResponse:
    """The page of the system: each part, how it is, why, and what to do."""
    if Right.READ not in rights_of(request.user):
        raise PermissionDenied
    context = {
        **admin.site.each_context(request),
        "title": "Health of the system",
        # Of `make run`, whose supervisor starts again what ends.
        "is_private_run": settings.DEBUG,
    }
    return TemplateResponse(request, "admin/system.html", context)


@_figure(StoryParameters)
def show_story(request: HttpRequest, asked: StoryParameters) -> HttpResponse:
    """What the page of the transaction `transaction_id` says, without the page around it."""
    transaction_id, rights = asked.validated_data["transaction_id"], rights_of_caller(request)
    found = transaction.shown(request, transaction_id, rights)
    if found is None:
        told = deletions.of_transaction(transaction_id, rights) or "No such transaction."
        return JsonResponse({"detail": told}, status=404)
    return render(request, "transactions/story.html", found)
