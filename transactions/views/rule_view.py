"""What all calls about rules have in common: rights, and what their room refuses, as the API says it."""

from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from .. import names
from ..access.rights import Right
from ..fields import NO_USER
from ..openapi import rules as operations
from ..rules import changes, documents, lifecycle, list_entries
from ..rules.kinds.gaps import Unfit
from ..rules.models import ListEntry, Rule, UserList, Version
from .base import REFUSALS, Conflict, JsonView, Refusals

SEES = dict.fromkeys(("GET", "HEAD", "OPTIONS"), Right.VIEW_RULES)
CHANGES = {**SEES, "POST": Right.CHANGE_RULES, "PATCH": Right.CHANGE_RULES}
APPROVES = {**SEES, "POST": Right.APPROVE_RULES}
# Problems of a file that one answer tells; the others are counted.
TOLD_MAX = 100


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


RULE_REFUSALS: Refusals = {
    Unfit: lambda error: ValidationError({each.place: [each.message] for each in (error, *error.others)}),
    documents.DocumentRefused: lambda error: FileRefused(error.problems),
    changes.NameTaken: lambda error: Conflict({"name": [str(error)]}),
    list_entries.UnknownUsers: _unknown_users,
    lifecycle.OwnApproval: lambda error: PermissionDenied(str(error)),
    lifecycle.AuthorUnknown: lambda error: PermissionDenied(str(error)),
    lifecycle.StepRefused: lambda error: Conflict(str(error)),
    Rule.DoesNotExist: lambda error: NotFound(),
    UserList.DoesNotExist: lambda error: NotFound(),
    ListEntry.DoesNotExist: lambda error: NotFound(),
    # Of a number that was asked for, and is no part of the path.
    Version.DoesNotExist: lambda error: ValidationError(
        {"version": ["There is no such version of this rule."]}
    ),
    **REFUSALS,
}


class RuleView(JsonView):
    """A call about rules."""

    rights = SEES
    refusals = RULE_REFUSALS
    # The field that says a moment which `lifecycle` may refuse.
    moment = ""

    def writer(self, request: Request) -> Any:
        """Who writes a version. Raises lifecycle.AuthorUnknown."""
        author = self.author(request)
        lifecycle.check_author(author)
        return author

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, lifecycle.MomentRefused):
            exc = ValidationError({self.moment: [str(exc)]})
        return super().handle_exception(exc)
