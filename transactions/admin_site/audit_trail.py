"""The admin site's page of the audit trail."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..audit.actions import KINDS, Action
from ..audit.chain import FIELDS
from ..audit.models import Entry
from .lists import BoundedAdmin, is_key

# Columns in which the search looks for its term as a whole.
SEARCHED = ("actor", "token", "address", "request_id", "target")
# What is done to alerts: these have pages.
OF_ALERTS = frozenset(
    {
        Action.ALERT_CLAIMED, Action.ALERT_ASSIGNED, Action.ALERT_RELEASED, Action.ALERT_CLOSED,
        Action.ALERT_REOPENED, Action.ALERT_UNDONE, Action.SNOOZE_MADE, Action.SNOOZE_ENDED,
    }
)  # fmt: skip


class ActionFilter(admin.SimpleListFilter):
    """By the first word of the action."""

    title = "what"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, kind.replace("_", "-").capitalize()) for kind in KINDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        kind = self.value()
        return queryset if kind is None else queryset.filter(action__startswith=f"{kind}.")


@admin.register(Entry)
class AuditTrailAdmin(BoundedAdmin[Entry]):
    list_display = ("number", "at", "what", "done_to", "who", "via", "address", "reason")
    list_filter = (ActionFilter, "via", "at")
    lookups_allowed = frozenset({"kind", "via__exact", "at__gte", "at__lt"})
    ordering = ("-number",)
    search_fields = ("actor",)
    search_help_text = "In full: who, token, address, request or target."
    fields = (
        "number", "at", "action", "target", "target_id", "actor", "actor_id", "via", "token", "address",
        "request_id", "reason", "details_shown", "previous", "hash",
    )  # fmt: skip
    export_columns = (*FIELDS, "hash")

    @admin.display(description="what")
    def what(self, entry: Entry) -> str:
        return str(Action(entry.action).label) if entry.action in Action else entry.action

    @admin.display(description="target", empty_value="")
    def done_to(self, entry: Entry) -> SafeString | str:
        """What it was done to; an alert with its number, and a link to its page."""
        if entry.action not in OF_ALERTS or not is_key(entry.target_id):
            return entry.target
        page = reverse("admin:alerts_alert_change", args=[entry.target_id])
        return format_html('<a href="{}">Alert {}</a>, {}', page, entry.target_id, entry.target)

    @admin.display(description="who", empty_value="nobody known")
    def who(self, entry: Entry) -> str | None:
        by = f" by the token {entry.token}" if entry.token else ""
        return f"{entry.actor}{by}" if entry.actor else None

    @admin.display(description="details")
    def details_shown(self, entry: Entry) -> SafeString:
        shown = json.dumps(json.loads(entry.details), ensure_ascii=False, indent=2)
        return format_html("<pre>{}</pre>", shown)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Entry], search_term: str
    ) -> tuple[QuerySet[Entry], bool]:
        term = search_term.strip()
        found = Q()
        for column in SEARCHED:
            found |= Q(**{column: term})
        return (queryset.filter(found) if term else queryset), False
