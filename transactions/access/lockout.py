"""What is said to somebody who has guessed too often at the log-in; the counting is django-axes'."""

import logging
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from .addresses import client_address

log = logging.getLogger(__name__)

CLOSED = "Too many wrong passwords. Try again in a quarter of an hour."


def closed(request: HttpRequest, original: HttpResponse | None, credentials: Any) -> HttpResponse:
    """429, and a line of the log that names whom the log-in is closed to."""
    name = (credentials or {}).get("username") or request.POST.get("username", "")
    log.warning("The log-in as %.150r from %s is closed for a while", name, client_address(request))
    wait_s = str(int(settings.AXES_COOLOFF_TIME.total_seconds()))
    return HttpResponse(CLOSED, status=429, content_type="text/plain", headers={"Retry-After": wait_s})
