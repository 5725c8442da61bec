"""The zone in which somebody sees the times of the admin's pages: chosen at the top of each.

At first it is the browser's. It is kept in a cookie, since it is the browser's and not the account's: whoever
looks from two places sees the times of each. A link may carry the zone of who sent it: that page is made in
it and says so, and the chosen one stays.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.decorators import sync_only_middleware

from ..timezones import PageZone, zone_names

# The name of both, the cookie and the parameter.
NAME = "timezone"
PAGES = "/admin/"


@sync_only_middleware
def in_viewers_zone(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Pages of the admin are made in their viewer's zone; a name that is none is passed over."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(PAGES):
            return get_response(request)
        with timezone.override(_zone(request)):
            return get_response(request)

    return middleware


def _zone(request: HttpRequest) -> PageZone:
    """Until one is chosen the server's own."""
    for name in (request.GET.get(NAME), request.COOKIES.get(NAME)):
        if name in zone_names():
            return PageZone(name)
    return PageZone(settings.TIME_ZONE)
