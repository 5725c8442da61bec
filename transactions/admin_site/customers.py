"""The admin site's pages of customers: the list, and the page of one."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from ..access import people
from ..access.rights import Right, rights_of
from ..alerts.models import Alert
from ..models import Customer, CustomerNote
from ..reading import customers as reading
from ..reading import narrowed
from ..review import deletions, links, notes, snoozes
from ..templatetags.components import percent
from ..timezones import CalendarZone
from .account_names import NamingForm
from .alerts import shown
from .giving_up import gives_up
from .lists import BoundedAdmin, is_key
from .sent_once import NothingStored, sent_once

ALERTS_MAX = 20
# The chart of days, in the units of its drawing.
BAR_HEIGHT, BAR_WIDTH, BAR_STEP = 60, 8, 10


class CustomerForm(NamingForm, ModelForm):  # type: ignore[type-arg]  # takes none at run time
    """A customer has no more than a name."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        name = self.fields["username"]
        name.label = "Name"
        name.help_text = "By which it is found: at most 150 letters, digits and @ . + - _"


@admin.register(Customer)
class CustomerAdmin(BoundedAdmin[Customer]):
    """Accounts that only have transactions; see `access.people`."""

    list_display = ("name", "key", "first_seen", "last_seen", "transactions")
    ordering = ("-id",)
    empty_title = "There are no customers yet"
    fills_by_itself = True
    empty_text = "An account that only has transactions is a customer: nobody logs in as one."
    search_fields = ("username",)
    search_help_text = "Number, or a part of the name"
    form = CustomerForm
    fields = ("username",)
    actions = None

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        rows = list(found.result_list)
        seen = reading.seen([row.pk for row in rows])
        for row in rows:
            row.first_seen_at, row.last_seen_at = seen.get(row.pk, (None, None))
        found.result_list = rows
        return found

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return people.customers()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        """By number or by a part of the name, as the search of every page has it, each by an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        any_part = narrowed.finds_any(term)
        named = Q(narrowed.has_part("username", term)) if any_part else Q(username__istartswith=term)
        return queryset.filter(named | Q(pk=int(term)) if is_key(term) else named), False

    @admin.display(description="name")
    def name(self, customer: Customer) -> str:
        return customer.get_username()

    @admin.display(description="number")
    def key(self, customer: Customer) -> int:
        return customer.pk

    @admin.display(description="first seen", empty_value="never")
    def first_seen(self, customer: Customer) -> Any:
        return getattr(customer, "first_seen_at", None)

    @admin.display(description="last seen", empty_value="never")
    def last_seen(self, customer: Customer) -> Any:
        return getattr(customer, "last_seen_at", None)

    @admin.display(description="transactions")
    def transactions(self, customer: Customer) -> SafeString:
        """No count: no sum is kept of one customer's, and counting those of a page takes long."""
        return format_html(
            '<a href="{}">Open the list<span class="sr-only"> of {}</span></a>',
            links.transactions_of(customer.pk),
            customer.get_username(),
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        return Right.READ in rights_of(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("auth.add_user")

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        """A customer has no password that could be used: nobody logs in as one."""
        obj.pk = User.objects.create_user(obj.get_username()).pk

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return show(request, unquote(object_id))

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:key>/notes/", wrap(write_note), name="transactions_customer_note"),
            path(
                "<int:key>/notes/<int:number>/reviewed/",
                wrap(review_note),
                name="transactions_customer_reviewed",
            ),
            *super().get_urls(),
        ]


def _found(request: HttpRequest, key: str | int) -> User:
    """The account of that key, a customer's or not: people pay, too."""
    if Right.READ not in rights_of(request.user):
        raise PermissionDenied
    user = User.objects.filter(pk=int(key)).first() if is_key(str(key)) else None
    if user is None:
        raise Http404("There is no such customer.")
    return user


@gives_up
def show(request: HttpRequest, key: str) -> HttpResponse:
    """The page of a customer; of one who was deleted that, for who may know."""
    try:
        user = _found(request, key)
    except Http404:
        deleted = deletions.of_customer(int(key), rights_of(request.user)) if is_key(key) else ""
        if not deleted:
            raise
        context = {**admin.site.each_context(request), "title": f"Customer {key}", "deleted": deleted}
        return TemplateResponse(request, "admin/customers/deleted.html", context, status=404)
    activity = reading.activity(user.pk, CalendarZone(timezone.get_current_timezone_name()))
    context = {
        **admin.site.each_context(request),
        "title": user.get_username(),
        "customer": user,
        "activity": activity,
        "rate": None if activity.success_rate is None else percent(activity.success_rate, 1),
        "bars": _bars(activity),
        "bars_most": max(count for _, count in activity.days),
        "bars_width": len(activity.days) * BAR_STEP,
        "bars_height": BAR_HEIGHT,
        "transactions_link": links.transactions_of(user.pk),
        "account_link": reverse("admin:auth_user_change", args=[user.pk])
        if request.user.has_perm("auth.view_user")
        else "",
        "notes": notes.latest(user.pk),
        "note_characters_max": CustomerNote.TEXT_CHARACTERS_MAX,
        "may_write": request.user.has_perm("transactions.add_customernote"),
        "may_review": request.user.has_perm("transactions.change_customernote"),
        **_alerts(request, user.pk),
    }
    return TemplateResponse(request, "admin/customers/customer.html", context)


def _bars(activity: reading.CustomerActivity) -> list[dict[str, Any]]:
    """Where each day's bar stands, as high as its count beside the largest; what failed is on top."""
    most = max(count for _, count in activity.days) or 1

    def high(count: int) -> int:
        return max(1, round(BAR_HEIGHT * count / most)) if count else 0

    return [
        {
            "day": day,
            "count": count,
            "failed": (failed := activity.failures_on(day)),
            "failed_said": (told := _failed_said(failed, at_least=day == activity.judged_from)),
            "said": f"{count:,}, {told} failed" if failed else f"{count:,}",
            "x": n * BAR_STEP,
            "y": BAR_HEIGHT - high(count),
            "width": BAR_WIDTH,
            "height": high(count),
            "failed_height": high(failed or 0),
        }
        for n, (day, count) in enumerate(activity.days)
    ]


def _failed_said(failed: int | None, *, at_least: bool) -> str:
    return "–" if failed is None else f"{'at least ' if at_least else ''}{failed:,}"


def _alerts(request: HttpRequest, user: int) -> dict[str, Any]:
    """The alerts and snoozes of a customer, for who may see those."""
    if Right.VIEW_ALERTS not in rights_of(request.user):
        return {"sees_alerts": False}
    rows = Alert.objects.select_related("assignee", "closed_by").filter(user=user)
    in_force = list(snoozes.found({"user": user, "in_force": True})[:ALERTS_MAX])
    names = snoozes.rule_names(in_force)
    return {
        "sees_alerts": True,
        "alerts": shown.rows(list(rows.order_by("-opened_at", "-id")[:ALERTS_MAX])),
        "snoozes": [(each, names.get(each.rule, f"rule {each.rule}")) for each in in_force],
    }


@require_POST
@sent_once
def write_note(request: HttpRequest, key: int) -> HttpResponse:
    """A note on a customer."""
    user = _found(request, key)
    if not request.user.has_perm("transactions.add_customernote"):
        raise PermissionDenied
    try:
        notes.write(user, request.POST.get("text", ""), request.user)  # type: ignore[arg-type]  # logged in
    except ValueError as error:
        raise NothingStored(links.customer(user.pk), str(error)) from None
    return redirect(links.customer(user.pk))


@require_POST
def review_note(request: HttpRequest, key: int, number: int) -> HttpResponse:
    """A note that somebody has looked into."""
    user = _found(request, key)
    if not request.user.has_perm("transactions.change_customernote"):
        raise PermissionDenied
    try:
        notes.mark_reviewed(user, number, request.user)  # type: ignore[arg-type]  # logged in
    except CustomerNote.DoesNotExist:
        raise Http404("There is no such note.") from None
    return redirect(links.customer(user.pk))
