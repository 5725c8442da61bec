"""The admin site's pages of the flush history and of the books."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..books import alarms
from ..models import Epoch, FlushBatch
from ..review.links import list_of
from ..storing import history
from ..timezones import to_the_minute
from .lists import BoundedAdmin


def _count(field: str) -> Callable[[Any], str]:
    """A column of how many there are, in thousands; Django's lists write numbers without."""

    @admin.display(description=field.replace("_", " "))
    def shown(row: Any) -> str:
        return f"{getattr(row, field):,}"

    # By it the cells of the column are told, and their place on the page of one.
    shown.__name__ = field
    return shown


@admin.register(FlushBatch)
class FlushBatchAdmin(BoundedAdmin[FlushBatch]):
    list_display = (
        "reserved_at", *map(_count, ("length", "done", "stored", "settled", "duplicates")), "refused",
        "duration", "speed", "released",
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
    fields: ClassVar[Any] = ("name", "epoch", _count("chunks"), "stored_at", *list_display)

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
        "opened_at", "closed_at",
        *map(_count, ("accepted_seen", "stored", "settled", "duplicates", "rejected", "removed", "pruned")),
        "flushed_at", "alarm",
    )  # fmt: skip
    fields: ClassVar[Any] = ("id", *list_display, "alarm_acknowledged_at")
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
