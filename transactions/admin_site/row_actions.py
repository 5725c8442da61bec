"""What is done to rows by buttons: those chosen in a list, and the one whose page is open."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse

from .held_rows import DELETE

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    Acting = ModelAdmin[Any]
else:
    Acting = object

# The field that says that an action was clicked on the page of one row, which is then shown again.
BACK_TO_ROW = "back_to_row"


@dataclass(frozen=True)
class RowAction:
    """A button: the name of its action, what it says, and what is asked before; "" where nothing is."""

    name: str
    called: str
    asked: str
    is_bad: bool


class RowActions(Acting):
    """An admin whose actions are buttons, in the bar of its list and on the page of a row."""

    # What is said before an action that does not come back, by its name.
    asked_before: ClassVar[dict[str, str]] = {}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "row_actions": self._row_actions(request)}
        return super().changelist_view(request, context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        row = context.get("original")
        offered = self._row_actions(request) if row is not None else []
        context["row_actions"] = [
            each for each in offered if each.name != DELETE and self.can_be_done(each.name, row)
        ]
        return super().render_change_form(request, context, *args, **more)

    def can_be_done(self, action: str, row: Any) -> bool:
        """Whether the page of `row` has a button for an action: not where it would change nothing."""
        return True

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any) -> Any:
        answer = super().response_action(request, queryset, *args)
        key = request.POST.get(BACK_TO_ROW, "")
        if isinstance(answer, HttpResponseRedirect) and key in request.POST.getlist(ACTION_CHECKBOX_NAME):
            return redirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[key]))
        return answer

    def _row_actions(self, request: HttpRequest) -> list[RowAction]:
        actions: dict[str, Any] = self.get_actions(request)
        return [
            RowAction(name, str(called), asked, name == DELETE or bool(asked))
            for name, (_, _, called) in actions.items()
            for asked in [self.asked_before.get(name, "")]
        ]
