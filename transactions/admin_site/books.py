"""The admin site's pages of the flush history and of the books."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..books import alarms
from ..models import Epoch, FlushBatch
from ..review.links import list_of
from ..storing import history
from ..timezones import to_the_minute
from .lists import BoundedAdmin, column

# Of records, what became of them.
_STORED = [
    column("stored", "stored", counted=True),
    column("settled", "settled", counted=True),
    column("duplicates", "the same once more", counted=True),
]


@admin.register(FlushBatch)
class FlushBatchAdmin(BoundedAdmin[FlushBatch]):
    list_display = (
        column("reserved_at", "began"), column("length", "records", counted=True),
        column("done", "done with", counted=True), *_STORED, "refused", "duration", "speed", "let_go",
    )  # fmt: skip
    ordering = ("-id",)
    rows_called = ("flush", "flushes")
    empty_title = "Nothing has been stored yet"
    fills_by_itself = True
    empty_text = "Each flush moves what was accepted from Redis to PostgreSQL, and has a line here."
    list_before_template = "transactions/flush_plot.html"
    export_columns = (
        "name", "reserved_at", "stored_at", "length", "done", "chunks",
        "stored", "settled", "duplicates", "rejected",
    )  # fmt: skip
    # The stubs know of no functions among them.
    fields: ClassVar[Any] = (
        column("name", "batch"), "books", column("chunks", "chunks", counted=True),
        column("stored_at", "ended"),
        *list_display,
    )  # fmt: skip

    def page_called(self, obj: FlushBatch) -> str:
        return f"Flush {obj.pk}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[FlushBatch]:
        # The flush promises a batch's name before it takes the queue: a row without a length yet, which
        # says nothing to an operator.
        return super().get_queryset(request).filter(length__isnull=False)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"title": "Pipeline", "flushes": history.latest()}
        return super().changelist_view(request, {**(extra_context or {}), **more})

    @admin.display(description="books")
    def books(self, batch: FlushBatch) -> SafeString:
        page = reverse("admin:transactions_epoch_change", args=[batch.epoch_id])
        return format_html('<a href="{}">opened {}</a>', page, to_the_minute(batch.epoch.opened_at))

    @admin.display(description="let go by Redis", boolean=True)
    def let_go(self, batch: FlushBatch) -> bool:
        return batch.released

    @admin.display(description="rejected")
    def refused(self, batch: FlushBatch) -> SafeString | str:
        if not batch.rejected:
            return "0"
        query = f"batch={batch.pk}&resolution=all"
        return format_html('<a href="{}">{}</a>', list_of("rejectedrecord", query), f"{batch.rejected:,}")

    @admin.display(description="duration", empty_value="in work")
    def duration(self, batch: FlushBatch) -> str | None:
        seconds = _seconds(batch)
        return None if seconds is None else f"{seconds:,.2f} s"

    @admin.display(description="records per second")
    def speed(self, batch: FlushBatch) -> str | None:
        seconds = _seconds(batch)
        return f"{batch.done / seconds:,.0f}" if seconds else None


def _seconds(batch: FlushBatch) -> float | None:
    """From the reservation to the last commit; None before it."""
    return None if batch.stored_at is None else (batch.stored_at - batch.reserved_at).total_seconds()


@admin.register(Epoch)
class EpochAdmin(BoundedAdmin[Epoch]):
    list_display = (
        column("opened_at", "opened"), column("closed_at", "closed"),
        column("accepted_seen", "accepted", counted=True), *_STORED,
        *(column(name, name, counted=True) for name in ("rejected", "removed", "pruned")),
        column("flushed_at", "last flush"), "alarm",
    )  # fmt: skip
    fields: ClassVar[Any] = (
        column("id", "number"), *list_display, column("alarm_acknowledged_at", "alarm acknowledged"),
    )  # fmt: skip
    ordering = ("-opened_at", "-id")
    rows_called = ("set of books", "sets of books")
    actions = ("acknowledge",)

    def page_called(self, obj: Epoch) -> str:
        return f"Books opened {to_the_minute(obj.opened_at)}"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """None, and so no boxes to tick, where there is no alarm to acknowledge."""
        is_needed = request.method == "POST" or alarms.open_alarms().exists()
        return super().get_actions(request) if is_needed else {}

    def can_be_done(self, action: str, row: Epoch) -> bool:
        return bool(row.alarm) and row.alarm_acknowledged_at is None

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("transactions.change_epoch")

    @admin.action(permissions=["acknowledge"], description="Acknowledge the alarms")
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Epoch]) -> None:
        self.message_user(request, f"Alarms acknowledged: {alarms.acknowledge(queryset)}.", messages.SUCCESS)
