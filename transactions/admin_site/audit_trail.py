"""The admin site's page of the audit trail."""

import json
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR
from django.contrib.auth import get_user_model
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..access.rights import Right, rights_of
from ..alerts.models import Alert
from ..audit.actions import KINDS, NEVER_FOLDED, Action
from ..audit.chain import FIELDS
from ..audit.models import Entry
from ..review import links
from .lists import ROWS_MAX, BoundedAdmin, BoundedChangeList, is_key

# Columns in which the search looks for its term as a whole.
SEARCHED = ("actor", "token", "address", "request_id", "target")

# What entries have in common that one request, or one run of a command, made by one action, each so soon
# after the one before: a client may send the same X-Request-Id with another request, later.
SAME_IN_A_RUN = ("action", "actor", "via", "token", "address", "request_id")
PAUSE_MAX = timedelta(minutes=1)
# How the actions on alerts begin; what they are done to is an alert.
OF_ALERTS = "alert."


class ActionFilter(admin.SimpleListFilter):
    """By the first word of the action."""

    title = "what"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, kind.replace("_", "-").capitalize()) for kind in KINDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        kind = self.value()
        return queryset if kind is None else queryset.filter(action__startswith=f"{kind}.")


class HowFilter(admin.ChoicesFieldListFilter):
    """By `via`, as people say it."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.title = "how"


def latest_of_each_run(entries: QuerySet[Entry]) -> QuerySet[Entry]:
    """Without those that another of the same run follows: what makes thousands of customers would push all
    else away. What a worker notes is of no run. Of the newest ROWS_MAX, so that no more are looked at.
    """
    newest = Entry.objects.aggregate(head=Max("number"))["head"] or 0
    following = {name: OuterRef(name) for name in SAME_IN_A_RUN}
    soon = {"number": OuterRef("number") + 1, "at__lt": OuterRef("at") + PAUSE_MAX}
    goes_on = Exists(Entry.objects.filter(**following, **soon))
    alone = Q(request_id="") | Q(action__in=NEVER_FOLDED)
    return entries.filter(Q(number__lte=newest - ROWS_MAX) | alone | ~goes_on)


class TrailChangeList(BoundedChangeList):
    """A page of the trail. Until the list is narrowed what one run did many times is one row, its latest,
    which leads to the others. For who may see alerts, an entry of one has it, with its user's name.
    """

    def get_results(self, request: HttpRequest) -> None:
        folds = set(self.params) <= {ORDER_VAR}
        if folds:
            self.queryset = latest_of_each_run(self.queryset)
        super().get_results(request)
        entries: list[Any] = list(self.result_list)
        self.result_list = entries
        if folds and entries:
            self._count_others(entries)
        if Right.VIEW_ALERTS in rights_of(request.user):
            _show_alerts(entries)

    def _count_others(self, entries: list[Any]) -> None:
        """How many entries each row stands for beside its own: numbers have no gaps."""
        in_order = sorted(entries, key=lambda entry: entry.number)
        older = self.queryset.filter(number__lt=in_order[0].number).order_by("-number")
        before = older.values_list("number", flat=True).first() or 0
        for entry in in_order:
            entry.others = entry.number - before - 1
            before = entry.number


def _show_alerts(entries: list[Any]) -> None:
    of_alerts = [each for each in entries if each.action.startswith(OF_ALERTS) and is_key(each.target_id)]
    alerts: dict[int, Any] = Alert.objects.in_bulk([int(each.target_id) for each in of_alerts])
    users = get_user_model()._default_manager.in_bulk({each.user for each in alerts.values() if each.user})
    for alert in alerts.values():
        alert.named = users[alert.user].get_username() if alert.user in users else ""
    for entry in of_alerts:
        entry.alert_shown = alerts.get(int(entry.target_id))


@admin.register(Entry)
class AuditTrailAdmin(BoundedAdmin[Entry]):
    list_display = ("number", "at", "what", "to_what", "who", "origin", "reason")
    list_filter = (ActionFilter, ("via", HowFilter), "at")
    lookups_allowed = frozenset({"kind", "via__exact", "at__gte", "at__lt", "number__gte", "number__lte"})
    ordering = ("-number",)
    rows_called = ("entry", "entries")
    search_fields = ("actor",)
    search_help_text = "A whole name, token, address or request"
    fields = (
        "number", "at", "action", "target", "target_id", "actor", "actor_id", "how", "token", "address",
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

    @admin.display(description="how")
    def how(self, entry: Entry) -> str:
        return entry.get_via_display()

    @admin.display(description="from")
    def origin(self, entry: Entry) -> str:
        return ", ".join(filter(None, [entry.get_via_display(), entry.address]))

    @admin.display(description="done to", empty_value="")
    def to_what(self, entry: Any) -> SafeString | str | None:
        target = _target(entry)
        if not getattr(entry, "others", 0):
            return target or None
        first = entry.number - entry.others
        return format_html(
            '{} <a href="?number__gte={}&amp;number__lte={}">and {} more</a>',
            target, first, entry.number, f"{entry.others:,}",
        )  # fmt: skip

    def page_called(self, obj: Entry) -> str:
        return f"{obj.number} · {self.what(obj)}"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[TrailChangeList]:
        return TrailChangeList

    @admin.display(description="details")
    def details_shown(self, entry: Entry) -> SafeString:
        shown = json.dumps(json.loads(entry.details), ensure_ascii=False, indent=2)
        return format_html("<pre>{}</pre>", shown)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Entry], search_term: str
    ) -> tuple[QuerySet[Entry], bool]:
        term = search_term.strip()
        return (queryset.filter(_with(term)) if term else queryset), False


def _target(entry: Any) -> SafeString | str:
    alert = getattr(entry, "alert_shown", None)
    if alert is None:
        return str(entry.target)
    where = links.alert(alert.pk)
    whom = f" ({alert.named})" if alert.named else ""
    return format_html('<a href="{}">Alert {}</a> {}{}', where, alert.pk, entry.target, whom)


def _with(term: str) -> Q:
    """Entries with a term in one of the columns, each looked for by its own index: an OR over several has
    none that is in the order of the trail, and might walk along all of it.
    """
    columns = [column for column in SEARCHED if Entry.objects.filter(**{column: term}).exists()]
    if len(columns) < 2:
        return Q(**dict.fromkeys(columns or SEARCHED[:1], term))
    first, *others = (Entry.objects.filter(**{column: term}).values("pk") for column in columns)
    return Q(pk__in=first.union(*others))
