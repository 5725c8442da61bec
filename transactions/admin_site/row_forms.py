"""The page of a row as the theme makes it: what it is called, and which buttons it has."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from .held_rows import HeldRows

if TYPE_CHECKING:

    class ThemedAdmin:
        """The theme's look, which is without types; those of Django's own classes say enough."""

else:
    from unfold.admin import ModelAdmin

    ThemedAdmin = ModelAdmin


class RowForm(HeldRows):
    """One button saves: Django has two more, which lead to forms that nobody asked for. What came of it is
    said in words of ours.
    """

    # What one row is called, where its model is called otherwise.
    one_called = ""

    def page_called(self, obj: Any) -> str:
        """The heading of the page of one."""
        return str(obj)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        self._tell_saved(request, obj)
        return self.response_post_save_add(request, obj)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        self._tell_saved(request, obj)
        return self.response_post_save_change(request, obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        self.message_user(request, f"{obj_display} is deleted.", messages.SUCCESS)
        return self.response_post_save_change(request, None)

    def _tell_saved(self, request: HttpRequest, obj: Any) -> None:
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk])
        told = format_html('<a href="{}">{}</a> is saved.', page, self.page_called(obj))
        self.message_user(request, told, messages.SUCCESS)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        if obj is None:
            context["title"] = f"A new {self.one_called or self.opts.verbose_name}"
        else:
            context["subtitle"] = self.page_called(obj)
        return super().render_change_form(request, context, add, change, form_url, obj)
