"""Rights, as views ask for them that are not the REST framework's; those have `permissions`."""

import logging
from collections.abc import Callable, Collection
from functools import wraps

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse

from .callers import may_read, rights_of_caller
from .rights import NONE, Right

log = logging.getLogger(__name__)

View = Callable[[HttpRequest], HttpResponse]


def may_read_if_told(request: HttpRequest) -> bool:
    """The same as far as can be told: False where only PostgreSQL could tell, and does not."""
    try:
        return may_read(request)
    except DatabaseError:
        return False


def readers_only(
    *, forbidden: str, away: str, challenge: bool = False, rights: Collection[Right] = (Right.READ,)
) -> Callable[[View], View]:
    """A decorator: who has one of the rights gets the view, others an answer that says `{"detail": …}`.

    `forbidden` is said to who may not (403), and `away` while PostgreSQL, which knows the rights, does
    not answer (503, and `part` names it among the parts of the system). With `challenge`, for
    programs, a caller without valid credentials is asked for a token instead (401): a browser would not
    know what to do with that.
    """

    def decorator(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest) -> HttpResponse:
            try:
                may = not rights_of_caller(request).isdisjoint(rights)
                refusal = None if may else _refusal(request, forbidden, challenge=challenge)
            except DatabaseError as error:
                log.warning("Who may read %s cannot be told (%s)", request.path, type(error).__name__)
                return JsonResponse({"detail": away, "part": "postgres"}, status=503)
            return view(request) if refusal is None else refusal

        return guarded

    return decorator


def _refusal(request: HttpRequest, forbidden: str, *, challenge: bool) -> HttpResponse:
    if challenge and not request.user.is_authenticated and rights_of_caller(request) == NONE:
        headers = {"WWW-Authenticate": "Bearer"}
        return JsonResponse({"detail": "Credentials are missing or wrong."}, status=401, headers=headers)
    return JsonResponse({"detail": forbidden}, status=403)
