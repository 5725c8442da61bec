"""Rows that two people save or delete at once: each of them is held by one, and the other is told."""

from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from ..stores.meanwhile import once_more

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.forms import ModelForm

    Changing = ModelAdmin[Any]
    Form = ModelForm[Any]
else:
    Changing = object
    Form = object


# Django's own action: it leads to a page that asks, and the page of one has a button of its own for it.
DELETE = "delete_selected"


class HeldRows(Changing):
    """Forms and deletions of rows, one after the other.

    Django's own would bring a row that is deleted meanwhile back by saving it, and note a deletion twice.
    What breaks a constraint by what somebody else did is tried once more: then the form sees it, and says so.
    """

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST" or not connection.in_atomic_block:
            return found
        if not (self.has_change_permission(request, found) or self.has_delete_permission(request, found)):
            return found
        _held(type(found)._base_manager.filter(pk=found.pk))
        # As it is now, and none where it is gone.
        return super().get_object(request, object_id, from_field)

    def changeform_view(self, request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        show = super().changeform_view
        return once_more(lambda: show(request, *args, **more))

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        show = super().delete_view
        return once_more(lambda: show(request, object_id, extra_context))

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any
    ) -> HttpResponse | None:
        act = super().response_action
        if DELETE not in request.POST.getlist("action"):
            return act(request, queryset, *args)
        # Django notes in its log what is deleted before it is: of what is refused nothing stays there.
        return once_more(lambda: transaction.atomic(act)(request, queryset, *args))

    def save_related(self, request: HttpRequest, *args: Any) -> None:
        super().save_related(request, *args)
        # Here, and not when it commits: by then it would have been told that it is saved.
        connection.check_constraints()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        connection.check_constraints()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        rows = queryset.model._base_manager.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        delete = super().delete_queryset

        @transaction.atomic
        def delete_held() -> None:
            delete(request, rows.filter(pk__in=_held(rows)))
            connection.check_constraints()

        once_more(delete_held)


class SeenForm(Form):
    """A form that changes what was changed in it alone: one that is old brings nothing back.

    It carries what its fields were when it was shown; without that, all of them are taken as they are sent.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.knows = not self.is_bound or any(
            self.add_initial_prefix(name) in self.data for name in self.fields
        )
        for field in self.fields.values():
            field.show_hidden_initial = self.knows and not field.disabled

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.knows:
            kept = [name for name in cleaned if name not in self.changed_data and name in self.initial]
            cleaned |= {name: self.initial[name] for name in kept}
        return cleaned


def _held(rows: QuerySet[Any]) -> list[Any]:
    """The keys of those of `rows` that there are, which nobody else changes until the transaction ends."""
    return list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
