"""What is said to somebody who has guessed too often at the log-in; the counting is django-axes'."""

import logging
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from .addresses import client_address

log = logging.getLogger(__name__)

CLOSED = "Too many wrong passwords. Try again in a quarter of an hour."


def closed(request: HttpRequest, original: HttpResponse | None, credentials: Any) -> HttpResponse:
    """429, and a line of the log that names whom the log-in is closed to."""
    name = (credentials or {}).get("username") or request.POST.get("username", "")
    log.warning("The log-in as %.150r from %s is closed for a while", name, client_address(request))
    return shown(CLOSED, 429, int(settings.AXES_COOLOFF_TIME.total_seconds()))


def shown(why: str, status: int, wait_s: int) -> HttpResponse:
    """A page that says `why` nobody may log in now, with what a machine reads: `status`, Retry-After."""
    facts = {"why": why, "status": status, "reason": HTTPStatus(status).phrase}
    headers = {"Retry-After": str(wait_s), "Cache-Control": "no-store"}
    page = render_to_string("transactions/frame/closed.html", facts)
    return HttpResponse(page, status=status, headers=headers)
