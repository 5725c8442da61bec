"""What browsers may do with our pages, on every answer that Django gives; the fast lane sets the same.

And nobody keeps an answer that does not say how long it holds, as static files do: all others are of the
moment, and most are one account's.
"""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def content_policies(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Content-Security-Policy, relaxed below /admin/ alone, Permissions-Policy, and Cache-Control."""

    def guarded(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        in_admin = request.path_info.startswith("/admin/")
        policy = settings.ADMIN_SECURITY_POLICY if in_admin else settings.CONTENT_SECURITY_POLICY
        response["Content-Security-Policy"] = policy
        response["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            return guarded(request, await get_response(request))

        return middleware
    return lambda request: guarded(request, get_response(request))
