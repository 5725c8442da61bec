"""The admin site's pages of webhooks and of who is told by mail."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from .. import names
from ..access.rights import Right, rights_of
from ..notifications import endpoints, numbering, signing, trying_mail, wording
from ..notifications.models import (
    FAILING_DAYS_MAX,
    TYPES,
    Attempt,
    Delivery,
    DeliveryState,
    Endpoint,
    MessageType,
    Recipient,
)
from ..templatetags.components import drawn_pill
from ..webhooks import pages
from .deletions import NamedDeletions
from .giving_up import View, gives_up
from .lists import BoundedAdmin, is_key
from .own_pages import OwnPages
from .sent_once import NothingStored, sent_once
from .webhook_forms import NewEndpointForm, change_form

# Deliveries that the page of an endpoint shows; the API has them all.
SHOWN_MAX = 50
# Attempts of one that the page shows; those that are about to be made, in seconds: it looks again by itself.
ATTEMPTS_SHOWN_MAX, SOON = 3, timedelta(seconds=10)
# What the list shows of a name, a URL, and types of messages.
NAME_CHARACTERS_MAX, URL_CHARACTERS_MAX, TYPES_SHOWN_MAX = 28, 38, 2


def _may(request: HttpRequest) -> bool:
    return Right.MANAGE_WEBHOOKS in rights_of(request.user)


def _demand(request: HttpRequest) -> None:
    if not _may(request):
        raise PermissionDenied


@admin.register(Endpoint)
class EndpointAdmin(OwnPages[Endpoint]):
    list_display = ("shown", "where", "format", "types_shown", "state", "failing_since")
    ordering = ("id",)
    rows_called = ("webhook", "webhooks")
    search_fields = ("url", "description")
    search_help_text = "Part of a name or a URL"
    change_list_template = "admin/webhooks/endpoint_list.html"

    def has_view_permission(self, request: HttpRequest, obj: Endpoint | None = None) -> bool:
        return _may(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _may(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {
            "title": "Webhooks",
            "no_key": not settings.WEBHOOK_SECRET_KEYS,
            # Asked by the template, in the bounds of the page.
            "no_webhooks": lambda: not Endpoint.objects.exists(),
        }
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def show_one(self, request: HttpRequest, key: str) -> HttpResponse:
        return show(request, key)

    def own_paths(self) -> list[tuple[str, View, str]]:
        return [
            ("new/", new, "new"),
            ("<int:key>/steps/<slug:step>/", take, "step"),
            ("<int:key>/deliveries/<int:sent>/send-again/", send_again, "send_again"),
        ]

    @admin.display(description="webhook")
    def shown(self, endpoint: Endpoint) -> str:
        return names.shortened(endpoint.called, NAME_CHARACTERS_MAX)

    @admin.display(description="URL")
    def where(self, endpoint: Endpoint) -> str:
        shown = names.shortened(endpoint.url, URL_CHARACTERS_MAX)
        return format_html('<span title="{}">{}</span>', endpoint.url, shown)

    @admin.display(description="state")
    def state(self, endpoint: Endpoint) -> str:
        return drawn_pill(_state(endpoint), _state(endpoint))

    @admin.display(description="messages")
    def types_shown(self, endpoint: Endpoint) -> str:
        if len(endpoint.types) > TYPES_SHOWN_MAX:
            return f"{len(endpoint.types)} of {len(TYPES)} types"
        return ", ".join(MessageType(each).label for each in endpoint.types) or "All"


def _state(endpoint: Endpoint) -> str:
    if endpoint.off:
        return "Off"
    if not settings.WEBHOOK_SECRET_KEYS:
        return "No key"
    return "Fails" if endpoint.failures else "On"


class ShownDelivery(NamedTuple):
    """A message of the log: what it says, what became of it, its latest attempts, and how many more."""

    delivery: Delivery
    title: str
    attempts: list[Attempt]
    left_out: int

    @property
    def is_due(self) -> bool:
        """Whether it is about to be sent."""
        waits = self.delivery.state == DeliveryState.WAITING
        return waits and self.delivery.due_at <= timezone.now() + SOON


def _log(endpoint: Endpoint, before: int | None) -> tuple[list[ShownDelivery], int | None]:
    """What was sent to it, the newest first, or what comes before a delivery; and where older ones begin."""
    rows, older = pages.rows_of_deliveries(endpoint.pk, SHOWN_MAX, before=before)
    found = []
    for each in rows:
        attempts = sorted(each.log.all(), key=lambda attempt: -attempt.pk)
        latest = attempts[:ATTEMPTS_SHOWN_MAX]
        found.append(ShownDelivery(each, wording.title(each.message), latest, len(attempts) - len(latest)))
    return found, older


def _found(key: str | int) -> Endpoint:
    found = (
        Endpoint.objects.select_related("made_by").filter(pk=int(key)).first() if is_key(str(key)) else None
    )
    if found is None:
        raise Http404("There is no such webhook.")
    return found


def _secret_shown(request: HttpRequest, endpoint: Endpoint, secret: str) -> HttpResponse:
    """The page with a secret, this once: it goes to nobody's session, history or log."""
    context = {
        **admin.site.each_context(request),
        "title": f"The secret of {endpoint.called}",
        "endpoint": endpoint,
        "secret": secret,
    }
    response = TemplateResponse(request, "admin/webhooks/secret.html", context)
    # Of what was made, for a form that is sent again: the secret is not shown again.
    response["Location"] = reverse("admin:notifications_endpoint_change", args=[endpoint.pk])
    response["Cache-Control"] = "no-store"
    return response


@sent_once
def new(request: HttpRequest) -> HttpResponse:
    """An endpoint that there is not yet."""
    _demand(request)
    form = NewEndpointForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = endpoints.add(**form.cleaned_data, by=request.user)
        except (signing.NoKey, endpoints.EndpointRefused) as error:
            form.add_error(None, str(error))
        else:
            if secret:
                return _secret_shown(request, made, secret)
            messages.success(request, "It is made. A test message shows whether it works.")
            return redirect("admin:notifications_endpoint_change", made.pk)
    context = {**admin.site.each_context(request), "title": "A new webhook", "form": form}
    return TemplateResponse(request, "admin/webhooks/new.html", context)


def _there(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A webhook, or a delivery, that somebody removes between two looks at it is not found."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
        try:
            return view(request, *args, **named)
        except Endpoint.DoesNotExist:
            raise Http404("There is no such webhook.") from None
        except Delivery.DoesNotExist:
            raise Http404("There is no such delivery.") from None

    return answer


@gives_up
@_there
def show(request: HttpRequest, key: str) -> HttpResponse:
    """An endpoint, a form to change it, and what was sent to it lately."""
    _demand(request)
    endpoint = _found(key)
    form = change_form(endpoint, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        said = {name: value for name, value in form.cleaned_data.items() if name != "url" or value}
        try:
            endpoints.change(endpoint.pk, **said)
        except signing.NoKey as error:
            form.add_error("url", str(error))
        else:
            messages.success(request, "It is changed.")
            return redirect("admin:notifications_endpoint_change", endpoint.pk)
    asked = request.GET.get("before", "")
    before = int(asked) if is_key(asked) else None
    log, older = _log(endpoint, before)
    failed = (attempt.error for each in log for attempt in each.attempts if attempt.error)
    pauses = endpoint.not_before is not None and endpoint.not_before > timezone.now() + SOON
    context = {
        **admin.site.each_context(request),
        "title": endpoint.called,
        "endpoint": endpoint,
        "state": _state(endpoint),
        "form": form,
        "log": log,
        "before": before,
        "older": older,
        "pauses": pauses,
        "waits": not (endpoint.off or pauses) and any(each.is_due for each in log),
        "last_error": next(failed, ""),
        "failing_days_max": FAILING_DAYS_MAX,
        "kept_days": numbering.KEPT_DAYS,
        "shown_max": SHOWN_MAX,
    }
    return TemplateResponse(request, "admin/webhooks/endpoint.html", context)


@require_POST
@_there
def take(request: HttpRequest, key: int, step: str) -> HttpResponse:
    """A step with an endpoint: off, on, test, rotate or remove."""
    _demand(request)
    endpoint = _found(key)
    steps: dict[str, tuple[Callable[[int], Any], str]] = {
        "off": (endpoints.switch_off, "It is off: nothing is sent there."),
        "on": (endpoints.switch_on, "It is on again."),
        "test": (endpoints.test, "A test message is on its way: see the log below."),
    }
    if step == "rotate":
        return _rotate(request, key)
    if step == "remove":
        endpoints.remove(key)
        messages.success(request, f"{endpoint} was removed.")
        return redirect("admin:notifications_endpoint_changelist")
    elif step in steps:
        act, done = steps[step]
        try:
            act(key)
            messages.success(request, done)
        except endpoints.EndpointRefused as error:
            messages.error(request, str(error))
    else:
        raise Http404("There is no such step.")
    return redirect("admin:notifications_endpoint_change", key)


@sent_once
def _rotate(request: HttpRequest, key: int) -> HttpResponse:
    """Twice would take away the secret that its receiver knows, and show one that nobody sees."""
    try:
        return _secret_shown(request, *endpoints.rotate(key))
    except (signing.NoKey, endpoints.EndpointRefused) as error:
        page = reverse("admin:notifications_endpoint_change", args=[key])
        raise NothingStored(page, str(error)) from None


@require_POST
@_there
def send_again(request: HttpRequest, key: int, sent: int) -> HttpResponse:
    """A message, once more."""
    _demand(request)
    try:
        endpoints.send_again(_found(key).pk, sent)
        messages.success(request, "The message is on its way again.")
    except endpoints.EndpointRefused as error:
        messages.error(request, str(error))
    return redirect("admin:notifications_endpoint_change", key)


@require_POST
def test_mail(request: HttpRequest, key: int) -> HttpResponse:
    """A test mail to one recipient; what comes of it stands on the recipient's page."""
    _demand(request)
    try:
        trying_mail.ask(key)
    except trying_mail.MailOff as error:
        messages.error(request, str(error))
    except Recipient.DoesNotExist:
        raise Http404("There is no such recipient.") from None
    return redirect("admin:notifications_recipient_change", key)


@admin.register(Recipient)
class RecipientAdmin(NamedDeletions, BoundedAdmin[Recipient]):
    list_display = ("address", "least", "system")
    ordering = ("address", "id")
    rows_called = ("address", "addresses")
    search_fields = ("address",)
    search_help_text = "Part of an address"
    fields = ("address", "least", "system")
    change_list_template = "admin/webhooks/recipient_list.html"
    one_called = "address"
    change_form_outer_before_template = "admin/webhooks/mail_tried.html"

    def has_view_permission(self, request: HttpRequest, obj: Recipient | None = None) -> bool:
        return _may(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _may(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _may(request)

    def has_change_permission(self, request: HttpRequest, obj: Recipient | None = None) -> bool:
        return _may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Recipient | None = None) -> bool:
        return _may(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not settings.EMAIL_ENABLED:
            messages.warning(request, "No mail is sent: EMAIL_URL is not set.")
        more = {"title": "Told by mail", "nobody": lambda: not Recipient.objects.exists()}
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(test_mail)
        return [path("<int:key>/test/", view, name="notifications_recipient_test"), *super().get_urls()]

    def page_called(self, obj: Recipient) -> str:
        # The audit trail has its number, and no address.
        return obj.address

    def save_model(self, request: HttpRequest, obj: Recipient, form: Any, change: Any) -> None:
        if "address" in form.changed_data:
            # What came of a test was about the address before.
            obj.test_asked_at, obj.test_ended_at, obj.test_failure = None, None, ""
        super().save_model(request, obj, form, change)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """By their addresses, which is how people know them; the log has their numbers."""
        _, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return [f"Recipient of mail: {each.address}" for each in objs], counts, lacking, protected
