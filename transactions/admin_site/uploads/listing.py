"""The list of uploads, and the paths of their pages."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from ...names import shortened
from ...rules.kinds.wording import counted
from ...templatetags.components import drawn_pill, visible
from ...uploads.limits import KEPT
from ...uploads.models import Upload
from ..giving_up import View
from ..own_pages import OwnPages
from . import page, receiving, refused, rights, steps

NAME_CHARACTERS_MAX = 60


@admin.register(Upload)
class UploadAdmin(OwnPages[Upload]):
    list_display = ("shown", "state_shown", "came_of_it", "uploaded_by", "uploaded_at")
    ordering = ("-id",)
    rows_called = ("uploaded file", "uploaded files")
    search_fields = ("name",)
    search_help_text = "Part of a file's name"
    change_list_template = "admin/uploads/upload_list.html"

    def has_view_permission(self, request: HttpRequest, obj: Upload | None = None) -> bool:
        return rights.may_import(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return rights.may_import(request.user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Upload]:
        large = ("columns", "head", "mapping", "guessed", "summary")
        seen = super().get_queryset(request) & rights.seen_by(request.user)
        return seen.select_related("uploaded_by").defer(*large)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {
            "title": "Imports",
            "kept_days": KEPT.days,
            # Asked by the template, in the bounds of the page.
            "no_uploads": lambda: not rights.seen_by(request.user).exists(),
        }
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Where a form of Django's would be: a file comes in by its own."""
        rights.demand(request)
        return redirect("admin:uploads_upload_new")

    def show_one(self, request: HttpRequest, key: str) -> HttpResponse:
        return page.show(request, key)

    def own_paths(self) -> list[tuple[str, View, str]]:
        # It streams, as the pages do not.
        refused_rows = cast("View", refused.download)
        return [
            ("new/", receiving.new, "new"),
            ("<int:key>/progress/", page.progress, "progress"),
            ("<int:key>/meaning/", page.meaning, "meaning"),
            ("<int:key>/reading/", page.reading, "reading"),
            ("<int:key>/steps/<slug:step>/", steps.take, "step"),
            ("<int:key>/refused/", refused_rows, "refused"),
        ]

    @admin.display(description="file")
    def shown(self, upload: Upload) -> str:
        return visible(shortened(upload.name, NAME_CHARACTERS_MAX))

    @admin.display(description="state")
    def state_shown(self, upload: Upload) -> str:
        return drawn_pill(page.state_of(upload), upload.state)

    @admin.display(description="rows")
    def came_of_it(self, upload: Upload) -> str:
        if upload.outcome is None:
            return counted(upload.rows, "row") if upload.rows else "–"
        told = upload.outcome
        return f"{told['accepted']:,} accepted, {told['replayed']:,} in already, {told['refused']:,} refused"
