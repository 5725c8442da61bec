"""Deletions ask why, for the audit trail, and are refused to who does not say."""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.text import capfirst

from ..audit.actions import Action
from ..audit.actors import because
from ..audit.entries import note
from ..audit.models import REASON_MAX
from ..encodings import checked_words
from ..templatetags.components import visible
from .row_forms import RowForm


class NamedDeletions(RowForm):
    """An admin whose confirmations name what goes, and what is done to it, in words of ours."""

    delete_confirmation_template = "admin/transactions/delete_confirmation.html"
    delete_selected_confirmation_template = "admin/transactions/delete_confirmation.html"
    asks_why = False

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        # Rows that only say who is in a group, or what it may, go with it and are nothing by themselves.
        links = [each for each in apps.get_models(include_auto_created=True) if each._meta.auto_created]
        plurals = {str(each._meta.verbose_name_plural) for each in links}
        begin = tuple(f"{capfirst(each._meta.verbose_name)}: " for each in links)
        ours = {str(self.opts.verbose_name_plural): self._rows_called()[1]}
        counts = {ours.get(name, name): count for name, count in counts.items() if name not in plurals}
        kept = [format_html("What is kept names it: {}", each) for each in protected]
        return _visible(_without(deleted, begin)), counts, lacking, kept

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        context["object_name"] = self.one_called or context["object_name"]
        context["called"] = self.page_called(context["object"])
        context["asks_why"] = self.asks_why
        context["going"] = self.facts_of([context["object"]])
        context["loses"] = self.what_is_lost([context["object"].pk])
        return super().render_delete_form(request, context)

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any) -> HttpResponse | None:
        answer = super().response_action(request, queryset, *args)
        if isinstance(answer, TemplateResponse) and answer.context_data is not None:
            answer.context_data["asks_why"] = self.asks_why
            chosen = answer.context_data.get("queryset") or ()
            answer.context_data["going"] = self.facts_of(chosen)
            answer.context_data["loses"] = self.what_is_lost([each.pk for each in chosen])
            one = len(chosen) == 1
            answer.context_data["objects_name"] = self._rows_called()[0 if one else 1]
        return answer

    def facts_of(self, rows: Iterable[Any]) -> list[dict[str, Any]]:
        """What is told of each row that goes, beside what it is called; nothing, where that says it all."""
        return []

    def what_is_lost(self, keys: list[Any]) -> str:
        """What a deletion of the rows of these keys takes from others, in words; "" for nothing."""
        return ""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if found := actions.get("delete_selected"):
            action, name, _ = found
            actions[name] = (action, name, f"Delete the chosen {self._rows_called()[1]}")
        return actions

    def _rows_called(self) -> tuple[str, str]:
        """One and several, as under their list."""
        named: tuple[str, str] | None = getattr(self, "rows_called", None)
        return named or (str(self.opts.verbose_name), str(self.opts.verbose_name_plural))


class ReasonedDeletions(NamedDeletions):
    """An admin that deletes for a reason alone: without one a confirmation comes again, as a 400."""

    asks_why = True

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        # Whatever is posted confirms, for Django.
        reason, fault = _reason(request) if request.method == "POST" else ("", "")
        if fault:
            request.POST = QueryDict()
        with because("" if fault else reason):
            answer = super().delete_view(request, object_id, extra_context)
        return _asked_again(answer, reason, fault) if fault else answer

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any) -> HttpResponse | None:
        # Django's action asks first, and deletes where the form has `post`; other actions do not know it.
        reason, fault = _reason(request) if "post" in request.POST else ("", "")
        if fault:
            unconfirmed = request.POST.copy()
            del unconfirmed["post"]
            request.POST = unconfirmed  # type: ignore[assignment]  # Django itself puts a copy there
        with because("" if fault else reason):
            answer = super().response_action(request, queryset, *args)
        return _asked_again(answer, reason, fault) if fault and answer else answer


def note_transactions(named: dict[int, str], count: int) -> None:
    """Notes that so many transactions are deleted by hand; `named` are their ids by key, or those of some."""
    if not count:
        return
    # One that was stored after those were named has no name here.
    target = next(iter(named.values())) if count == len(named) == 1 else f"{count:,} transactions"
    unnamed: dict[str, Any] = {"not_named": count - len(named)} if count > len(named) else {}
    note(Action.TRANSACTION_DELETED, target, rows=named, **unnamed)


def _without(deleted: list[Any], begin: tuple[str, ...]) -> list[Any]:
    """A tree of what is deleted, without the lines that begin so; a branch that is empty then goes too."""
    left = [_without(each, begin) if isinstance(each, list) else each for each in deleted]
    return [each for each in left if each and (isinstance(each, list) or not each.startswith(begin))]


def _visible(deleted: Any) -> Any:
    """The tree of what is deleted, with the names from outside as they are shown."""
    return [_visible(each) for each in deleted] if isinstance(deleted, list) else visible(deleted)


def _reason(request: HttpRequest) -> tuple[str, str]:
    """The reason of a form as it is kept, and ""; or as it was typed, and what is wrong with it."""
    given = request.POST.get("reason", "")
    try:
        return checked_words(given, "A reason", REASON_MAX), ""
    except ValueError as error:
        return given, f"Say why: it is kept in the audit trail. {error}"


def _asked_again(answer: HttpResponse, reason: str, fault: str) -> HttpResponse:
    """The confirmation with what was typed and what is wrong with it; another answer as it is."""
    if isinstance(answer, TemplateResponse) and answer.context_data is not None:
        if answer.context_data.get("perms_lacking"):
            raise PermissionDenied
        answer.context_data |= {"reason": reason, "reason_fault": fault}
        answer.status_code = 400
    return answer
