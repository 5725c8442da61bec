"""The locale in which somebody reads money on the admin's pages: the browser's, by Accept-Language.

The words of pages stay English. It is asked anew at each request and kept nowhere, since it is the browser's.
"""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_only_middleware

from .. import money
from .viewer_zone import PAGES


@sync_only_middleware
def in_viewers_locale(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Pages of the admin are made in their viewer's locale; a header that names none leaves the default."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(PAGES):
            return get_response(request)
        with money.in_locale(money.locale_for(request.headers.get("Accept-Language", ""))):
            response = get_response(request)
        patch_vary_headers(response, ["Accept-Language"])
        return response

    return middleware
