"""Deletions ask why, for the audit trail."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse

from ..audit.actors import because
from ..templatetags.components import visible

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    Confirming = ModelAdmin[Any]
else:
    Confirming = object


class ReasonedDeletions(Confirming):
    """An admin whose confirmations of a deletion have a field for the reason."""

    delete_confirmation_template = "admin/transactions/delete_confirmation.html"
    delete_selected_confirmation_template = "admin/transactions/delete_confirmation.html"

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        deleted, *more = super().get_deleted_objects(objs, request)
        return (_visible(deleted), *more)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        with because(_reason(request)):
            return super().delete_view(request, object_id, extra_context)

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any) -> HttpResponse | None:
        with because(_reason(request)):
            return super().response_action(request, queryset, *args)


def _visible(deleted: Any) -> Any:
    """The tree of what is deleted, with the names from outside as they are shown."""
    return [_visible(each) for each in deleted] if isinstance(deleted, list) else visible(deleted)


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()
