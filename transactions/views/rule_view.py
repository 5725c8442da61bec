"""What all calls about rules have in common: rights, and what the rooms refuse, as the API says it."""

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError
from django.http import Http404
from psycopg2.errors import ForeignKeyViolation, UniqueViolation
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from .. import names
from ..access.rights import Right
from ..openapi import rules as operations
from ..reading.parameters import Parameters
from ..rulebook import bodies
from ..rules import changes, documents, lifecycle, list_entries
from ..rules.kinds.gaps import Unfit
from ..rules.models import Rule, UserList, Version
from ..serializers import NO_USER, Posted
from .base import ApiView

SEES = dict.fromkeys(("GET", "HEAD", "OPTIONS"), Right.VIEW_RULES)
CHANGES = {**SEES, "POST": Right.CHANGE_RULES, "PATCH": Right.CHANGE_RULES}
APPROVES = {**SEES, "POST": Right.APPROVE_RULES}
# Problems of a file that one answer tells; the others are counted.
TOLD_MAX = 100


class Conflict(APIException):
    """What is there does not allow it."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "Somebody changed this at the same time. Look at it again."
    default_code = "conflict"


class FileRefused(APIException):
    """A file of rules that was not taken; tells what is wrong with it, by its lines."""

    status_code = status.HTTP_400_BAD_REQUEST

    def __init__(self, problems: list[documents.Problem]) -> None:
        left_out = len(problems) - TOLD_MAX
        self.detail: Any = {
            "detail": operations.NOT_TAKEN.format(len(problems)),
            "problems": [problem._asdict() for problem in problems[:TOLD_MAX]],
            **({"problems_left_out": left_out} if left_out > 0 else {}),
        }


def _unknown_users(error: list_entries.UnknownUsers) -> APIException:
    told = [NO_USER.format(pk=key) for key in error.keys[: names.TOLD_MAX]]
    left_out = len(error.keys) - len(told)
    return ValidationError({"users": [*told, *([f"… and {left_out} more."] if left_out > 0 else [])]})


# What the rooms raise, as the API says it; of two that fit the first.
REFUSALS: dict[type[Exception], Callable[[Any], Exception]] = {
    Unfit: lambda error: ValidationError({each.place: [each.message] for each in (error, *error.others)}),
    documents.DocumentRefused: lambda error: FileRefused(error.problems),
    changes.NameTaken: lambda error: Conflict({"name": [str(error)]}),
    list_entries.UnknownUsers: _unknown_users,
    lifecycle.OwnApproval: lambda error: PermissionDenied(str(error)),
    lifecycle.AuthorUnknown: lambda error: PermissionDenied(str(error)),
    lifecycle.StepRefused: lambda error: Conflict(str(error)),
    # Not Django's words, which name our classes.
    Http404: lambda error: NotFound(),
    Rule.DoesNotExist: lambda error: NotFound(),
    UserList.DoesNotExist: lambda error: NotFound(),
    # Of a number that was asked for, and is no part of the path.
    Version.DoesNotExist: lambda error: ValidationError(
        {"version": ["There is no such version of this rule."]}
    ),
    IntegrityError: lambda error: Conflict() if _came_between(error) else error,
}


def _came_between(error: IntegrityError) -> bool:
    """Whether somebody else did something meanwhile; else a constraint of ours is broken, by a fault of ours.

    There is one of that name or number by now, or what was to be named is gone.
    """
    return isinstance(error.__cause__, ForeignKeyViolation | UniqueViolation)


class RuleView(ApiView):
    """A call about rules: JSON alone, with rights of its own."""

    parser_classes: Any = (bodies.RuleParser,)
    rights = SEES
    # What a GET may ask; no other call has parameters.
    asks: type[Parameters[Any]] = Parameters
    # The field that says a moment which `lifecycle` may refuse.
    moment = ""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.parameters = self.asks if request.method in ("GET", "HEAD") else Parameters
        super().initial(request, *args, **kwargs)

    def posted(self, request: Request, form: type[Posted]) -> Any:
        """What was posted, checked by its form."""
        posted = form(data=request.data)
        posted.is_valid(raise_exception=True)
        return posted

    def author(self, request: Request) -> Any:
        """Who calls, None for somebody unknown in a private run."""
        return request.user if request.user.is_authenticated else None

    def writer(self, request: Request) -> Any:
        """Who writes a version. Raises lifecycle.AuthorUnknown."""
        author = self.author(request)
        lifecycle.check_author(author)
        return author

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, lifecycle.MomentRefused):
            exc = ValidationError({self.moment: [str(exc)]})
        for refusal, told in REFUSALS.items():
            if isinstance(exc, refusal):
                exc = told(exc)
                break
        return super().handle_exception(exc)
