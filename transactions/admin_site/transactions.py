"""The admin site: facts to look at, and the three decisions that are an operator's.

Those are to replay or discard a rejected record, to acknowledge an alarm, and (superusers alone) to
delete a transaction. Every value is shown as text, whatever a client wrote into it.
"""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from . import accounts_admin, books_admin, rejected
from .changelists import KEY_DIGITS_MAX, BoundedAdmin, ChosenFilter, list_of
from .models import RejectedRecord, Status, Transaction

# Django looks for this module alone.
__all__ = ["accounts_admin", "books_admin"]

User = get_user_model()
admin.site.index_template = "transactions/dashboard.html"

# Bytes of a rejected record that are shown; the rest is told as a number.
RAW_SHOWN_MAX = 4_000
# Left-open records that the message after an action names.
NAMED_MAX = 5
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


class BatchFilter(ChosenFilter):
    title = "flush"
    parameter_name = "batch"


class ResolutionFilter(admin.SimpleListFilter):
    """The open records unless others are asked for."""

    title = "resolution"
    parameter_name = "resolution"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), *RejectedRecord.Resolution.choices, ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        for value, title in self.lookup_choices:
            query_string = changelist.get_query_string({self.parameter_name: value})
            yield {
                "selected": value == (self.value() or "open"),
                "query_string": query_string,
                "display": title,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[RejectedRecord]) -> QuerySet[RejectedRecord]:
        wanted = self.value() or "open"
        return queryset if wanted == "all" else queryset.filter(resolution="" if wanted == "open" else wanted)


@admin.register(Transaction)
class TransactionAdmin(BoundedAdmin[Transaction]):
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
        """Rows whose id begins so, or whose user it names.

        The user alone, where no id begins so: then the rows come in the order of an index.
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

    @admin.action(permissions=["delete"], description="Delete selected transactions")
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> HttpResponse | None:
        return None if self.refuses(request, queryset) else delete_selected(self, request, queryset)


def _named(term: str) -> Q:
    """The users that a search term may mean, by unique indexes."""
    named = Q(**{User.USERNAME_FIELD: term})
    if term.isascii() and term.isdigit() and len(term) <= KEY_DIGITS_MAX:
        named |= Q(pk=int(term))
    return named


@admin.register(RejectedRecord)
class RejectedRecordAdmin(BoundedAdmin[RejectedRecord]):
    list_display = ("id", "transaction_id", "reason", "rejected_at", "times", "resolution", "resolved_at")
    list_filter = (ResolutionFilter, BatchFilter)
    lookups_allowed = frozenset({"resolution", "batch"})
    ordering = ("-id",)
    search_fields = ("transaction_id",)
    search_help_text = "A transaction_id or how it begins."
    fields = (*list_display, "batch", "raw_shown")
    actions = ("replay", "discard")
    export_columns = ("id", "transaction_id", "reason", "rejected_at", "times", "resolution", "resolved_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RejectedRecord]:
        return super().get_queryset(request).defer("raw")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[RejectedRecord], search_term: str
    ) -> tuple[QuerySet[RejectedRecord], bool]:
        term = search_term.strip()
        return (queryset.filter(transaction_id__startswith=term) if term else queryset), False

    @admin.display(description="raw bytes")
    def raw_shown(self, row: RejectedRecord) -> SafeString:
        raw = bytes(row.raw)
        text = raw[:RAW_SHOWN_MAX].decode(errors="backslashreplace")
        visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
        more = f" … and {len(raw) - RAW_SHOWN_MAX:,} bytes more" if len(raw) > RAW_SHOWN_MAX else ""
        return format_html("<code>{}</code>{}", visible, more)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("transactions.change_rejectedrecord")

    @admin.action(permissions=["resolve"], description="Replay: accept the selected records anew")
    def replay(self, request: HttpRequest, queryset: QuerySet[RejectedRecord]) -> None:
        if not self.refuses(request, queryset):
            self._tell(request, "replayed", rejected.replay(queryset))

    @admin.action(permissions=["resolve"], description="Discard: give the selected records up")
    def discard(self, request: HttpRequest, queryset: QuerySet[RejectedRecord]) -> None:
        if not self.refuses(request, queryset):
            self._tell(request, "discarded", rejected.discard(queryset))

    def _tell(self, request: HttpRequest, done: str, report: rejected.Report) -> None:
        before = f", {report.before} before" if report.before else ""
        self.message_user(request, f"{report.done} {done}{before}.", messages.SUCCESS)
        for left in report.named[:NAMED_MAX]:
            self.message_user(request, f"{left.id} {left.transaction_id}: {left.why}.", messages.ERROR)
        if report.failed > NAMED_MAX:
            self.message_user(request, f"Could not be {done}: {report.failed} in all.", messages.ERROR)
