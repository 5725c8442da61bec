"""The addresses of applications, as /admin/uploads/, that somebody makes of a list's.

Django's own page of them lists tables by their names.
"""

from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from . import sidebar


class AppLabelConverter:
    """A part of a path that is the label of an application."""

    regex = "[a-z_]+"

    def to_python(self, value: str) -> str:
        if value not in apps.app_configs:
            raise ValueError(value)
        return value

    def to_url(self, value: str) -> str:
        return value


def show(request: HttpRequest, label: str) -> HttpResponse:
    """The first page of the application that opens for who asks, else the first of all."""
    start = f"{reverse('admin:index')}{label}/"
    return redirect(
        next((link for *_, link in sidebar.pages(request) if link.startswith(start)), "admin:index")
    )
