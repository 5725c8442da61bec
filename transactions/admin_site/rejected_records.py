"""The admin site's pages of rejected records, which an operator replays or discards."""

import re
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import F, Func, IntegerField, Q, QuerySet, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from .. import money
from ..encodings import printable
from ..intake import rejected
from ..models import RejectedRecord
from ..queue.records import State, read_line
from ..reading import customers
from ..reading.detail import ROW_KEY_MAX
from ..review import links
from ..templatetags.components import drawn_pill, in_zone, status_word, visible
from .lists import BoundedAdmin, ChosenFilter, column, whole_number

# Bytes of a rejected record that are shown; the rest is told as a number.
RAW_SHOWN_MAX = 4_000
# Left-open records that the message after an action names.
NAMED_MAX = 5
# The API's word is user; pages say customer.
OF_NO_USER = re.compile(r"user (?=[0-9]+ does not exist)")
UNREADABLE = "It is in no form that can be replayed. Have its sender post it anew, and discard it."
NO_CUSTOMER = (
    "Ask its sender for the right customer, or add the missing one; then replay it. What should never have "
    "come is discarded."
)
DIFFERS = (
    "Another transaction of this id is stored already. Look at that one: a replay is refused for as long as "
    "they differ. Have the sender post this one with an id of its own, and discard it."
)
OTHERWISE = "Mend what the reason names, then replay it; what should never have come is discarded."
RESOLVED = {
    RejectedRecord.Resolution.REPLAYED: "Nothing: it was replayed, and accepted anew.",
    RejectedRecord.Resolution.DISCARDED: "Nothing: somebody decided that it is not to be stored.",
}


def in_words(reason: str) -> str:
    """Why a record was refused, in the words of pages."""
    return OF_NO_USER.sub("customer ", reason)


def what_to_do(row: RejectedRecord, state: State | None) -> str:
    """What an operator does about a record, of which `state` is what could be read."""
    if row.resolution:
        return RESOLVED[RejectedRecord.Resolution(row.resolution)]
    if state is None:
        return UNREADABLE
    if OF_NO_USER.search(row.reason):
        return NO_CUSTOMER
    return DIFFERS if row.reason.startswith("differs") else OTHERWISE


class BatchFilter(ChosenFilter):
    title = "flush"
    parameter_name = "batch"


class ResolutionFilter(admin.SimpleListFilter):
    """The open records unless others are asked for."""

    title = "what became of them"
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


_REJECTED_AT = column("rejected_at", "rejected")
_TIMES = column("times", "times refused", counted=True)
_RESOLVED_AT = column("resolved_at", "resolved")


@admin.register(RejectedRecord)
class RejectedRecordAdmin(BoundedAdmin[RejectedRecord]):
    list_display = (
        column("transaction_id", "transaction"), "why", _REJECTED_AT, _TIMES, "became", _RESOLVED_AT,
        column("id", "number"),
    )  # fmt: skip
    list_display_links = (list_display[0], list_display[-1])
    list_filter = (ResolutionFilter, BatchFilter)
    lookups_allowed = frozenset({"resolution", "batch"})
    ordering = ("-id",)
    empty_title = "Nothing was rejected"
    empty_text = "A record that cannot be stored comes here, with its reason, and can be replayed."
    search_fields = ("transaction_id",)
    search_help_text = "Part of its id or content, or its number"
    # What it is, why and what to do; then how it came about, and last what it was word for word.
    fields: ClassVar[Any] = (
        "transaction", "customer", "amount", "status", "happened_at", "why", "to_do", _REJECTED_AT, _TIMES,
        "became", _RESOLVED_AT, "flush", "raw_shown",
    )  # fmt: skip
    actions = ("replay", "discard")
    asked_before: ClassVar[dict[str, str]] = {"discard": "What is discarded is never stored, nor replayed."}
    export_columns = ("id", "transaction_id", "reason", "rejected_at", "times", "resolution", "resolved_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RejectedRecord]:
        return super().get_queryset(request).defer("raw")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[RejectedRecord], search_term: str
    ) -> tuple[QuerySet[RejectedRecord], bool]:
        """By any part of the id in any letter case, by what else the record holds, or by its number."""
        term = search_term.strip().removeprefix("#")
        if not term:
            return queryset, False
        found = Q(transaction_id__icontains=term) | Q(held_at__gt=0)
        if (number := whole_number(term, ROW_KEY_MAX)) is not None:
            found |= Q(pk=number)
        return queryset.alias(held_at=_place_in_raw(term)).filter(found), False

    def page_called(self, obj: RejectedRecord) -> str:
        return obj.transaction_id or f"Unreadable record {obj.pk}"

    @admin.display(description="transaction")
    def transaction(self, row: RejectedRecord) -> SafeString | str | None:
        if not row.transaction_id or _state(row) is None:
            return row.transaction_id or None
        return format_html(
            '<a href="{}">{}</a>', links.story(row.transaction_id), visible(row.transaction_id)
        )

    @admin.display(description="customer")
    def customer(self, row: RejectedRecord) -> SafeString | str | None:
        state = _state(row)
        if state is None:
            return None
        name = customers.names([state.user]).get(state.user)
        if name is None:
            return f"{state.user} (does not exist)"
        return format_html('<a href="{}">{}</a> ({})', links.customer(state.user), visible(name), state.user)

    @admin.display(description="amount")
    def amount(self, row: RejectedRecord) -> str | None:
        state = _state(row)
        return None if state is None else money.text(state.amount) + money.unit_note()

    @admin.display(description="status")
    def status(self, row: RejectedRecord) -> SafeString | None:
        """As its sender stated it: what was rejected did not succeed, whatever that says."""
        state = _state(row)
        return None if state is None else drawn_pill(f"{status_word(state.status)}, as posted", "none")

    @admin.display(description="happened")
    def happened_at(self, row: RejectedRecord) -> str | None:
        state = _state(row)
        return None if state is None else in_zone(state.created_at)

    @admin.display(description="reason")
    def why(self, row: RejectedRecord) -> str:
        return in_words(row.reason)

    @admin.display(description="what to do")
    def to_do(self, row: RejectedRecord) -> str:
        return what_to_do(row, _state(row))

    @admin.display(description="what became of it", empty_value="Open")
    def became(self, row: RejectedRecord) -> str | None:
        return row.get_resolution_display() or None

    @admin.display(description="flush")
    def flush(self, row: RejectedRecord) -> SafeString | None:
        if row.batch_id is None:
            return None
        page = reverse("admin:transactions_flushbatch_change", args=[row.batch_id])
        return format_html('<a href="{}">batch {}</a>', page, row.batch_id)

    @admin.display(description="word for word")
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
        self.message_user(request, *_said(done, report))
        for left in report.named[:NAMED_MAX]:
            called = left.transaction_id or f"Unreadable record {left.id}"
            again = "was refused again" if done == "replayed" else f"was not {done}"
            told = f"{called} {again}: {in_words(left.why).removesuffix('.')}."
            self.message_user(request, told, messages.ERROR)
        if report.failed > NAMED_MAX:
            self.message_user(request, f"Could not be {done}: {report.failed} in all.", messages.ERROR)


def _place_in_raw(term: str) -> Func:
    """Where the bytes of a record have a text, from 1; 0 where they do not."""
    return Func(
        Value(term.encode()),
        F("raw"),
        template="position(%(expressions)s)",
        arg_joiner=" IN ",
        output_field=IntegerField(),
    )


def _said(done: str, report: rejected.ResolutionReport) -> tuple[str, int]:
    """What came of an action, and how well that is."""
    before = f" {report.before} had been {done} before." if report.before else ""
    if not report.done:
        return f"Nothing was {done}.{before}", messages.WARNING
    one = report.done == 1
    then = f": {'it is' if one else 'they are'} stored with the next flush" if done == "replayed" else ""
    return (
        f"{report.done:,} record{'' if one else 's'} {'was' if one else 'were'} {done}{then}.{before}",
        messages.SUCCESS,
    )


def _state(row: RejectedRecord) -> State | None:
    """What a record says; None where it cannot be read."""
    read = read_line(bytes(row.raw))
    return None if read is None else read[1]
