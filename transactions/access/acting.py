"""Who acts in a request, for the audit trail."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_only_middleware

from ..audit.actors import Actor, acting
from ..audit.models import Via
from .addresses import client_address
from .token_checks import Access


@sync_only_middleware
def actor_of_request(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """What is noted while a request is served was done by its sender."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with acting(partial(_actor, request)):
            return get_response(request)

    return middleware


def _actor(request: HttpRequest) -> Actor:
    # The REST framework leaves on the request whose token it was, and which.
    access: Any = getattr(request, "auth", None)
    user = request.user
    return Actor(
        via=Via.ADMIN if request.path.startswith("/admin/") else Via.API,
        name=user.get_username(),
        id=user.pk,
        token=access.name if isinstance(access, Access) else "",
        address=client_address(request),
        request_id=request.headers.get("X-Request-Id", ""),
    )
