"""The admin site's pages of rejected records, which an operator replays or discards."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..encodings import printable
from ..intake import rejected
from ..models import RejectedRecord
from .lists import BoundedAdmin, ChosenFilter

# Bytes of a rejected record that are shown; the rest is told as a number.
RAW_SHOWN_MAX = 4_000
# Left-open records that the message after an action names.
NAMED_MAX = 5


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


@admin.register(RejectedRecord)
class RejectedRecordAdmin(BoundedAdmin[RejectedRecord]):
    list_display = ("id", "transaction_id", "reason", "rejected_at", "times", "resolution", "resolved_at")
    list_filter = (ResolutionFilter, BatchFilter)
    lookups_allowed = frozenset({"resolution", "batch"})
    ordering = ("-id",)
    empty_title = "Nothing was rejected"
    empty_text = "A record that cannot be stored comes here, with its reason, and can be replayed."
    search_fields = ("transaction_id",)
    search_help_text = "A transaction_id or how it begins."
    fields = (*list_display, "batch", "raw_shown")
    actions = ("replay", "discard")
    asked_before: ClassVar[dict[str, str]] = {"discard": "What is discarded is never stored, nor replayed."}
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
        more = f" … and {len(raw) - RAW_SHOWN_MAX:,} bytes more" if len(raw) > RAW_SHOWN_MAX else ""
        return format_html("<code>{}</code>{}", printable(text), more)

    def can_be_done(self, action: str, row: RejectedRecord) -> bool:
        return not row.resolution

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("transactions.change_rejectedrecord")

    @admin.action(permissions=["resolve"], description="Replay")
    def replay(self, request: HttpRequest, queryset: QuerySet[RejectedRecord]) -> None:
        if not self.refuses(request, queryset):
            self._tell(request, "replayed", rejected.replay(queryset))

    @admin.action(permissions=["resolve"], description="Discard")
    def discard(self, request: HttpRequest, queryset: QuerySet[RejectedRecord]) -> None:
        if not self.refuses(request, queryset):
            self._tell(request, "discarded", rejected.discard(queryset))

    def _tell(self, request: HttpRequest, done: str, report: rejected.ResolutionReport) -> None:
        before = f", {report.before} before" if report.before else ""
        self.message_user(request, f"{report.done} {done}{before}.", messages.SUCCESS)
        for left in report.named[:NAMED_MAX]:
            self.message_user(request, f"{left.id} {left.transaction_id}: {left.why}.", messages.ERROR)
        if report.failed > NAMED_MAX:
            self.message_user(request, f"Could not be {done}: {report.failed} in all.", messages.ERROR)
