"""The admin site's page of the audit trail."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..audit.actions import KINDS, Action
from ..audit.chain import FIELDS
from ..audit.models import Entry
from .lists import BoundedAdmin

# Columns in which the search looks for its term as a whole.
SEARCHED = ("actor", "token", "address", "request_id", "target")


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
    list_display = ("number", "at", "what", "target", "who", "via", "address", "reason")
    list_filter = (ActionFilter, "via", "at")
    lookups_allowed = frozenset({"kind", "via__exact", "at__gte", "at__lt"})
    ordering = ("-number",)
    rows_called = ("entry", "entries")
    search_fields = ("actor",)
    search_help_text = "In full: who, a token, an address, a request's id, or what it was done to."
    fields = (
        "number", "at", "action", "target", "target_id", "actor", "actor_id", "via", "token", "address",
        "request_id", "reason", "details_shown", "previous", "hash",
    )  # fmt: skip
    export_columns = (*FIELDS, "hash")

    @admin.display(description="what")
    def what(self, entry: Entry) -> str:
        return str(Action(entry.action).label) if entry.action in Action else entry.action

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
