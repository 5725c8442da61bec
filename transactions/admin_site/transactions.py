"""The admin site's pages of transactions."""

from collections.abc import Callable, Iterable
from datetime import tzinfo
from itertools import islice
from typing import Any

from django.contrib import admin
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import path

from ..models import Transaction
from ..reading.narrowed import stored
from ..review import links
from ..rules import gate
from ..timezones import CalendarZone
from . import giving_up, saved_views, transaction_list, transaction_page
from .deletions import ReasonedDeletions, note_transactions
from .lists import BoundedAdmin

# Of those that somebody is about to delete.
SHOWN_MAX = 100


@admin.register(Transaction)
class TransactionAdmin(ReasonedDeletions, BoundedAdmin[Transaction]):
    """The list is a page of our own; so is that of one row; Django asks before a deletion."""

    actions = ("delete_selected",)
    ordering = ("-created_at", "-id")
    export_columns = (
        "transaction_id", "user_id", "customer_name", "amount", "status",
        "created_at", "accepted_at", "stored_at", "settled_at",
    )  # fmt: skip

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            # An action names its rows by their keys; what narrows the list is none of Django's filters.
            request.GET = QueryDict()
            return super().changelist_view(request, extra_context)
        return transaction_list.show(request, may_delete=self.has_delete_permission(request))

    def get_urls(self) -> list[Any]:
        def viewers(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
            def guarded(request: HttpRequest, **named: str) -> HttpResponse:
                if not self.has_view_permission(request):
                    raise PermissionDenied
                return view(request, **named)

            return self.admin_site.admin_view(guarded)

        return [
            path("story/", viewers(transaction_page.show_by_id), name="transactions_transaction_story"),
            path("views/", viewers(saved_views.save), name="transactions_savedview_add"),
            path(
                "views/<str:key>/delete/", viewers(saved_views.delete), name="transactions_savedview_delete"
            ),
            *super().get_urls(),
        ]

    def export_rows(self, request: HttpRequest) -> tuple[QuerySet[Transaction], tzinfo]:
        narrowed = transaction_list.asked_by(request).narrowed
        if narrowed is None or narrowed.state != "stored":
            raise IncorrectLookupParameters
        named = stored(narrowed).annotate(customer_name=F("user__username"))
        return named, CalendarZone(narrowed.zone)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The row's page; a row is never changed."""
        show = super().change_view

        def shown() -> HttpResponse:
            row = self.get_object(request, unquote(object_id)) if request.method in ("GET", "HEAD") else None
            if row is None:
                return show(request, object_id, form_url, extra_context)
            return transaction_page.show(request, row.transaction_id)

        return giving_up.in_bounds(request, shown)

    def has_delete_permission(self, request: HttpRequest, obj: Transaction | None = None) -> bool:
        return request.user.is_active and request.user.is_superuser

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        """Back to the list: Django leads there only who could change rows, which nobody can."""
        super().response_delete(request, obj_display, obj_id)
        return redirect("admin:transactions_transaction_changelist")

    def facts_of(self, rows: Iterable[Transaction]) -> list[dict[str, Any]]:
        first = list(islice(rows, SHOWN_MAX))
        names = links.names(row.user_id for row in first)
        return [{"row": row, "name": names[row.user_id]} for row in first]

    def delete_model(self, request: HttpRequest, obj: Transaction) -> None:
        self.delete_queryset(request, Transaction.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> None:
        with transaction.atomic():
            locked = queryset.order_by("pk").select_for_update()
            found = list(locked.values_list("pk", "transaction_id", "user_id"))
            rows = {key: id for key, id, _ in found}
            note_transactions(rows, len(rows))
            super().delete_queryset(request, Transaction.objects.filter(pk__in=list(rows)))
            gate.forget_latest({user for _, _, user in found})

    @admin.action(permissions=["delete"], description="Delete selected transactions")
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> HttpResponse | None:
        return None if self.refuses(request, queryset) else delete_selected(self, request, queryset)
