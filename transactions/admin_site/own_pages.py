"""Models whose pages are views of our own: nothing of them is edited as a row."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.urls import path

from .giving_up import View
from .lists import BoundedAdmin, M


class OwnPages(BoundedAdmin[M]):
    """For the admin of such a model."""

    def show_one(self, request: HttpRequest, key: str) -> HttpResponse:
        """The page of one, by what the URL has as its key."""
        raise NotImplementedError

    def own_paths(self) -> Iterable[tuple[str, View, str]]:
        """Routes below that of the list, their views, and their names after those of app and model."""
        raise NotImplementedError

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return self.show_one(request, unquote(object_id))

    def get_urls(self) -> list[Any]:
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        own = [
            path(route, self.admin_site.admin_view(view), name=prefix + name)
            for route, view, name in self.own_paths()
        ]
        return [*own, *super().get_urls()]
