"""The admin site's pages of webhooks and of who is told by mail."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.views.decorators.http import require_POST
from unfold.decorators import display

from ..access.rights import Right, rights_of
from ..notifications import endpoints, signing
from ..notifications.models import TYPES, Delivery, Endpoint, Recipient
from .lists import BoundedAdmin, is_key

# Deliveries that the page of an endpoint shows; the API has them all.
SHOWN_MAX = 50
COLOURS = {"On": "success", "Fails": "warning", "Off": "danger"}


class EndpointForm(forms.Form):
    """Where messages go, and which."""

    url = forms.CharField(label="URL", max_length=2_000, help_text="As in https://example.org/webhooks.")
    description = forms.CharField(max_length=2_000, required=False, help_text="What it is, or whose.")
    types = forms.MultipleChoiceField(
        choices=[(each, each) for each in TYPES],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Messages",
        help_text="None means all.",
    )

    def clean_url(self) -> str:
        return _checked(endpoints.checked_url, self.cleaned_data["url"])

    def clean_description(self) -> str:
        return _checked(endpoints.checked_text, self.cleaned_data["description"])


def _checked(check: Callable[[Any], str], text: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise forms.ValidationError(str(error)) from None


def _may(request: HttpRequest) -> bool:
    return Right.MANAGE_WEBHOOKS in rights_of(request.user)


def _demand(request: HttpRequest) -> None:
    if not _may(request):
        raise PermissionDenied


@admin.register(Endpoint)
class EndpointAdmin(BoundedAdmin[Endpoint]):
    list_display = ("shown", "url", "state", "types_shown", "failing_since", "made_at")
    ordering = ("id",)
    rows_called = ("webhook", "webhooks")
    empty_title = "Nobody is told yet"
    empty_text = "A webhook gets alerts and the system's alarms as they come."
    search_fields = ("url", "description")
    change_list_template = "admin/webhooks/endpoint_list.html"

    def has_view_permission(self, request: HttpRequest, obj: Endpoint | None = None) -> bool:
        return _may(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _may(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"title": "Webhooks", "no_key": not settings.WEBHOOK_SECRET_KEYS}
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return show(request, unquote(object_id))

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("new/", wrap(new), name="notifications_endpoint_new"),
            path("<int:key>/steps/<slug:step>/", wrap(take), name="notifications_endpoint_step"),
            path(
                "<int:key>/deliveries/<int:delivery>/send-again/",
                wrap(send_again),
                name="notifications_endpoint_send_again",
            ),
            *super().get_urls(),
        ]

    @admin.display(description="webhook")
    def shown(self, endpoint: Endpoint) -> str:
        return endpoint.called

    @display(description="state", label=COLOURS)  # type: ignore[untyped-decorator]
    def state(self, endpoint: Endpoint) -> str:
        return _state(endpoint)

    @admin.display(description="messages")
    def types_shown(self, endpoint: Endpoint) -> str:
        return ", ".join(endpoint.types) or "all"


def _state(endpoint: Endpoint) -> str:
    if endpoint.off:
        return "Off"
    return "Fails" if endpoint.failures else "On"


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
        "title": f"The secret of {endpoint}",
        "endpoint": endpoint,
        "secret": secret,
    }
    response = TemplateResponse(request, "admin/webhooks/secret.html", context)
    response["Cache-Control"] = "no-store"
    return response


def new(request: HttpRequest) -> HttpResponse:
    """An endpoint that there is not yet."""
    _demand(request)
    form = EndpointForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = endpoints.add(**form.cleaned_data, by=request.user)
        except (signing.NoKey, endpoints.EndpointRefused) as error:
            form.add_error(None, str(error))
        else:
            return _secret_shown(request, made, secret)
    context = {**admin.site.each_context(request), "title": "A new webhook", "form": form}
    return TemplateResponse(request, "admin/webhooks/new.html", context)


def show(request: HttpRequest, key: str) -> HttpResponse:
    """An endpoint, a form to change it, and what was sent to it lately."""
    _demand(request)
    endpoint = _found(key)
    known = {"url": endpoint.url, "description": endpoint.description, "types": endpoint.types}
    form = EndpointForm(request.POST if request.method == "POST" else None, initial=known)
    if request.method == "POST" and form.is_valid():
        endpoints.change(endpoint.pk, **form.cleaned_data)
        messages.success(request, "It is changed.")
        return redirect("admin:notifications_endpoint_change", endpoint.pk)
    deliveries = Delivery.objects.filter(endpoint=endpoint).select_related("message").prefetch_related("log")
    rows = list(deliveries.order_by("-id")[:SHOWN_MAX])
    context = {
        **admin.site.each_context(request),
        "title": str(endpoint),
        "endpoint": endpoint,
        "state": _state(endpoint),
        "form": form,
        "deliveries": [(each, sorted(each.log.all(), key=lambda attempt: -attempt.pk)) for each in rows],
        "shown_max": SHOWN_MAX,
    }
    return TemplateResponse(request, "admin/webhooks/endpoint.html", context)


@require_POST
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
        try:
            return _secret_shown(request, *endpoints.rotate(key))
        except signing.NoKey as error:
            messages.error(request, str(error))
    elif step == "remove":
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


@require_POST
def send_again(request: HttpRequest, key: int, delivery: int) -> HttpResponse:
    """A message, once more."""
    _demand(request)
    try:
        endpoints.send_again(_found(key).pk, delivery)
        messages.success(request, "The message is on its way again.")
    except endpoints.EndpointRefused as error:
        messages.error(request, str(error))
    except Delivery.DoesNotExist:
        raise Http404("There is no such delivery.") from None
    return redirect("admin:notifications_endpoint_change", key)


@admin.register(Recipient)
class RecipientAdmin(BoundedAdmin[Recipient]):
    list_display = ("address", "least", "system")
    ordering = ("address", "id")
    rows_called = ("address", "addresses")
    empty_title = "No mail is sent to anybody yet"
    search_fields = ("address",)
    fields = ("address", "least", "system")

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
        return super().changelist_view(request, {**(extra_context or {}), "title": "Told by mail"})
