"""The rate limits in the REST framework's terms; the buckets are those of `rate_limits`."""

from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware
from rest_framework import status
from rest_framework.exceptions import APIException

from . import rate_limits


class RateLimited(APIException):
    """The caller's bucket holds too little for the request; the answer's headers say when to come again."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_detail = rate_limits.REFUSED
    default_code = "rate_limited"


def take(request: HttpRequest, caller: str, records: int, *, paid: int = 0) -> None:
    """Takes `records` from the caller's bucket and notes on the request what is left. Raises RateLimited."""
    if not settings.RATE_LIMIT_RECORDS_PER_SECOND or records <= 0:
        return
    allowance = rate_limits.take_in_thread(caller, records, paid=paid)
    request.rate_limit = (caller, allowance)  # type: ignore[attr-defined]
    if allowance is not None and allowance.wait_s:
        raise RateLimited


def take_instead(request: HttpRequest, caller: str) -> None:
    """Has `caller` pay for the request, and not who has paid for it so far. Raises RateLimited."""
    if limited := getattr(request, "rate_limit", None):
        payer, allowance = limited
        # Without an answer from Redis nothing was paid.
        if allowance is not None:
            rate_limits.give_back(payer, 1)
        take(request, caller, 1)


def take_for_batch(request: HttpRequest, records: int) -> None:
    """Takes one for each record but the first, for which the request itself has paid. Raises RateLimited.

    Who is refused has paid nothing: many who try again would else keep the bucket empty for all of them.
    """
    if limited := getattr(request, "rate_limit", None):
        caller, _ = limited
        try:
            take(request, caller, records - 1, paid=1)
        except RateLimited:
            if (left := rate_limits.give_back(caller, 1, missing=records)) is not None:
                request.rate_limit = (caller, left)  # type: ignore[attr-defined]
            raise


@sync_and_async_middleware
def rate_limit_headers(get_response: Any) -> Any:
    """Says on every answer of the REST API what is left to its caller, where there is a limit."""

    def told(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        _, allowance = getattr(request, "rate_limit", ("", None))
        if allowance is not None:
            for name, value in allowance.headers().items():
                response[name] = value
            if "Authorization" not in request.headers:
                patch_vary_headers(response, ["Cookie"])
        return response

    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            return told(request, await get_response(request))

        return middleware
    return lambda request: told(request, get_response(request))
