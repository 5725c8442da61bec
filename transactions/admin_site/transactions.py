"""The admin site's pages of transactions."""

from django.contrib import admin
from django.contrib.admin.actions import delete_selected
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from ..audit.actions import Action
from ..audit.entries import note
from ..models import Status, Transaction
from ..rules import gate
from .deletions import ReasonedDeletions
from .lists import BoundedAdmin, ChosenFilter, is_key, list_of

User = get_user_model()
# How a status is coloured beside its name.
STATUS_COLOURS = {
    Status.PENDING.label: "info",
    Status.SUCCESS.label: "success",
    Status.FAILED.label: "danger",
}


class UserFilter(ChosenFilter):
    title = "user"
    parameter_name = "user"

    def name_of(self, key: int) -> str:
        user = User.objects.filter(pk=key).first()
        return user.get_username() if user else f"{key} (does not exist)"


@admin.register(Transaction)
class TransactionAdmin(ReasonedDeletions, BoundedAdmin[Transaction]):
    list_display = (
        "id",
        "transaction_id",
        "payer",
        "amount_shown",
        "status_shown",
        "created_at",
        "stored_at",
    )
    list_display_links = ("id", "transaction_id")
    list_filter = ("status", "created_at", UserFilter)
    lookups_allowed = frozenset({"status__exact", "user"}) | {
        f"created_at__{part}" for part in ("gte", "lt", "year", "month", "day")
    }
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")
    sortable_by = ("created_at",)
    search_fields = ("transaction_id",)
    search_help_text = "A transaction_id or how it begins, or the number or name of a user."
    fields = (*list_display, "accepted_at", "settled_at")
    actions = ("delete_selected",)
    export_columns = (
        "transaction_id", "user_id", "amount", "status",
        "created_at", "accepted_at", "stored_at", "settled_at",
    )  # fmt: skip

    @admin.display(description="user")
    def payer(self, row: Transaction) -> SafeString:
        theirs = list_of("transaction", f"user={row.user_id}")
        return format_html('<a href="{}">{}</a>', theirs, row.user.get_username())

    @admin.display(description="amount")
    def amount_shown(self, row: Transaction) -> str:
        return f"{row.amount:,}"

    @display(description="status", label=STATUS_COLOURS)  # type: ignore[untyped-decorator]
    def status_shown(self, row: Transaction) -> str:
        return Status(row.status).label

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transaction]:
        # The names of a page's users by their keys. With the field itself in the list, Django would
        # join the users, and a join may be planned over the whole table.
        return super().get_queryset(request).prefetch_related("user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Transaction], search_term: str
    ) -> tuple[QuerySet[Transaction], bool]:
        """Rows whose transaction_id begins with the term, or whose user it names.

        Where no id begins so the user is asked for alone: then an index has the rows in their order.
        """
        term = search_term.strip()
        if not term:
            return queryset, False
        begins = Q(transaction_id__startswith=term)
        users = list(User.objects.filter(_named(term)).values_list("pk", flat=True))
        if not users:
            return queryset.filter(begins), False
        whose = Q(user_id__in=users)
        found = whose | begins if Transaction.objects.filter(begins).exists() else whose
        return queryset.filter(found), False

    def has_delete_permission(self, request: HttpRequest, obj: Transaction | None = None) -> bool:
        return request.user.is_active and request.user.is_superuser

    def delete_model(self, request: HttpRequest, obj: Transaction) -> None:
        self.delete_queryset(request, Transaction.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> None:
        with transaction.atomic():
            locked = queryset.order_by("pk").select_for_update()
            found = list(locked.values_list("pk", "transaction_id", "user_id"))
            rows = {key: id for key, id, _ in found}
            named = next(iter(rows.values())) if len(rows) == 1 else f"{len(rows)} transactions"
            note(Action.TRANSACTION_DELETED, named, rows=rows)
            super().delete_queryset(request, Transaction.objects.filter(pk__in=list(rows)))
            gate.forget_latest({user for _, _, user in found})

    @admin.action(permissions=["delete"], description="Delete selected transactions")
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> HttpResponse | None:
        return None if self.refuses(request, queryset) else delete_selected(self, request, queryset)


def _named(term: str) -> Q:
    """The users that a search term may mean, by unique indexes."""
    named = Q(**{User.USERNAME_FIELD: term})
    if is_key(term):
        named |= Q(pk=int(term))
    return named
