"""What browsers may do with our pages, on every answer that Django gives; the fast lane sets the same."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def content_policies(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Content-Security-Policy, relaxed below /admin/ alone, and Permissions-Policy."""

    def guarded(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        in_admin = request.path_info.startswith("/admin/")
        policy = settings.ADMIN_SECURITY_POLICY if in_admin else settings.CONTENT_SECURITY_POLICY
        response["Content-Security-Policy"] = policy
        response["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        return response

    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            return guarded(request, await get_response(request))

        return middleware
    return lambda request: guarded(request, get_response(request))
