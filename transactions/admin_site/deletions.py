"""Deletions ask why, for the audit trail, and are refused to who does not say."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse

from ..audit.actions import Action
from ..audit.actors import because
from ..audit.entries import note
from ..audit.models import REASON_MAX
from ..encodings import checked_words
from ..templatetags.components import visible

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    Confirming = ModelAdmin[Any]
else:
    Confirming = object


class ReasonedDeletions(Confirming):
    """An admin that deletes for a reason alone: without one a confirmation comes again, as a 400."""

    delete_confirmation_template = "admin/transactions/delete_confirmation.html"
    delete_selected_confirmation_template = "admin/transactions/delete_confirmation.html"

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        deleted, *more = super().get_deleted_objects(objs, request)
        return (_visible(deleted), *more)

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
