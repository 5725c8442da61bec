"""The REST API of rules: read the request, call one function, answer."""

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from . import names
from .access.rights import Right
from .openapi import rules as operations
from .reading.listing import Page
from .reading.parameters import Parameters
from .rulebook import bodies, changes, pages, parameters
from .rules import documents, lifecycle, schema
from .rules.kinds.gaps import Unfit
from .rules.models import ListEntry, Rule, UserList, Version, VersionState
from .serializers import NO_USER, Posted
from .views import ApiView, next_page

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


def _unknown_users(error: lifecycle.UnknownUsers) -> APIException:
    told = [NO_USER.format(pk=key) for key in error.keys[: names.TOLD_MAX]]
    left_out = len(error.keys) - len(told)
    return ValidationError({"users": [*told, *([f"… and {left_out} more."] if left_out > 0 else [])]})


def _unfit(error: Unfit) -> APIException:
    place = error.gap if error.gap == "kind" else f"parameters.{error.gap}".rstrip(".")
    return ValidationError({place: [error.message]})


# What the rooms raise, as the API says it; of two that fit the first.
REFUSALS: dict[type[Exception], Callable[[Any], Exception]] = {
    Unfit: _unfit,
    documents.DocumentRefused: lambda error: FileRefused(error.problems),
    changes.NameTaken: lambda error: Conflict({"name": [str(error)]}),
    lifecycle.UnknownUsers: _unknown_users,
    lifecycle.OwnApproval: lambda error: PermissionDenied(str(error)),
    lifecycle.StepRefused: lambda error: Conflict(str(error)),
    # Not Django's words, which name our classes.
    Http404: lambda error: NotFound(),
    Rule.DoesNotExist: lambda error: NotFound(),
    UserList.DoesNotExist: lambda error: NotFound(),
    IntegrityError: lambda error: Conflict(),
}


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

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, lifecycle.MomentRefused):
            exc = ValidationError({self.moment: [str(exc)]})
        for refusal, told in REFUSALS.items():
            if isinstance(exc, refusal):
                exc = told(exc)
                break
        return super().handle_exception(exc)


def _paged(request: Request, page: Page) -> Response:
    return Response({"results": page.results, "next": next_page(request, page.cursor)})


# --- Rules -------------------------------------------------------------------------------------


class RuleList(RuleView):
    """GET rules, page by page; POST one with its first draft."""

    rights = CHANGES
    asks = parameters.RuleParameters

    @operations.RULES
    def get(self, request: Request) -> Response:
        return _paged(request, pages.rules(self.asked.validated_data))

    @operations.ADD_RULE
    def post(self, request: Request) -> Response:
        rule = changes.create(self.posted(request, bodies.NewRule).validated_data, self.author(request))
        return Response(pages.rule(rule.pk), status=status.HTTP_201_CREATED)


class RuleDetail(RuleView):
    """GET a rule with its versions; PATCH its name."""

    rights = CHANGES

    @operations.RULE
    def get(self, request: Request, id: str) -> Response:
        return Response(pages.rule(int(id)))

    @operations.RENAME_RULE
    def patch(self, request: Request, id: str) -> Response:
        rule = get_object_or_404(Rule, pk=id)
        changes.rename(rule, self.posted(request, bodies.Renaming).validated_data["name"])
        return Response(pages.rule(rule.pk))


class RuleVersions(RuleView):
    """POST another draft."""

    rights = CHANGES

    @operations.ADD_VERSION
    def post(self, request: Request, id: str) -> Response:
        rule = get_object_or_404(Rule, pk=id)
        posted = self.posted(request, bodies.NewVersion)
        try:
            version = changes.draft(rule, posted, self.author(request))
        except Version.DoesNotExist:
            raise ValidationError({"from_version": ["There is no version of this number."]}) from None
        return Response(pages.version_as_dict(version), status=status.HTTP_201_CREATED)


class RuleVersion(RuleView):
    """GET a version."""

    @operations.VERSION
    def get(self, request: Request, id: str, number: str) -> Response:
        return Response(pages.version_as_dict(_version(id, number)))


class SubmitVersion(RuleView):
    """POST that a draft waits for approval."""

    rights = CHANGES

    @operations.SUBMIT_VERSION
    def post(self, request: Request, id: str, number: str) -> Response:
        version = _version(id, number)
        self.posted(request, bodies.Nothing)
        lifecycle.submit(version)
        return Response(pages.version_as_dict(version))


class ApproveVersion(RuleView):
    """POST that a version comes into force."""

    rights = APPROVES
    moment = "effective_from"

    @operations.APPROVE_VERSION
    def post(self, request: Request, id: str, number: str) -> Response:
        version = _version(id, number)
        valid = self.posted(request, bodies.Approval).validated_data
        shadow = valid["state"] == VersionState.SHADOW
        lifecycle.approve(version, self.author(request), shadow=shadow, begin=valid["effective_from"])
        return Response(pages.version_as_dict(version))


class RetireVersion(RuleView):
    """POST the end of a version."""

    rights = APPROVES

    @operations.RETIRE_VERSION
    def post(self, request: Request, id: str, number: str) -> Response:
        version = _version(id, number)
        self.posted(request, bodies.Nothing)
        lifecycle.retire(version)
        return Response(pages.version_as_dict(version))


def _version(id: str, number: str) -> Version:
    rows = Version.objects.select_related("rule", "author", "approver")
    found: Version = get_object_or_404(rows, rule=id, number=number)
    return found


class RuleHits(RuleView):
    """GET what a rule has found, page by page."""

    asks = parameters.HitParameters

    @operations.HITS_OF_RULE
    def get(self, request: Request, id: str) -> Response:
        rule = get_object_or_404(Rule, pk=id)
        return _paged(request, pages.hits(rule, self.asked.validated_data))


# --- Files of rules ----------------------------------------------------------------------------


class RuleSchema(RuleView):
    """GET the JSON Schema of files of rules."""

    @operations.RULE_SCHEMA
    def get(self, request: Request) -> Response:
        return Response(schema.schema())


class ExportRules(RuleView):
    """GET a file of rules."""

    asks = parameters.ExportParameters

    @operations.EXPORT_RULES
    def get(self, request: Request) -> HttpResponse:
        found = Rule.objects.filter(**self.asked.validated_data)
        return HttpResponse(documents.export_rules(found), content_type="application/json")


class ImportRules(RuleView):
    """POST a file of rules, all or nothing."""

    rights = CHANGES
    parser_classes = (bodies.DocumentParser,)

    @operations.IMPORT_RULES
    def post(self, request: Request) -> Response:
        text = request.data if isinstance(request.data, str) else ""
        drafts, unchanged = documents.import_rules(documents.parse(text), self.author(request))
        made = [{"id": each.rule_id, "name": each.rule.name, "version": each.number} for each in drafts]
        return Response({"drafts": made, "unchanged": unchanged})


# --- Lists of users ----------------------------------------------------------------------------


class UserLists(RuleView):
    """GET lists of users, page by page; POST another one."""

    rights = CHANGES
    asks = parameters.ListsParameters

    @operations.LISTS
    def get(self, request: Request) -> Response:
        return _paged(request, pages.lists(self.asked.validated_data))

    @operations.ADD_LIST
    def post(self, request: Request) -> Response:
        made = changes.make_list(self.posted(request, bodies.NewList).validated_data)
        return Response(pages.user_list(made.pk), status=status.HTTP_201_CREATED)


class UserListDetail(RuleView):
    """GET a list of users."""

    @operations.LIST
    def get(self, request: Request, id: str) -> Response:
        return Response(pages.user_list(int(id)))


class ListEntries(RuleView):
    """GET who stands on a list, and who did, page by page; POST users who are to stand there."""

    rights = CHANGES
    moment = "expires_at"
    asks = parameters.EntryParameters

    @operations.ENTRIES
    def get(self, request: Request, id: str) -> Response:
        users = get_object_or_404(UserList, pk=id)
        return _paged(request, pages.entries(users, self.asked.validated_data))

    @operations.ADD_ENTRIES
    def post(self, request: Request, id: str) -> Response:
        users = get_object_or_404(UserList, pk=id)
        valid = self.posted(request, bodies.NewEntries).validated_data
        added = lifecycle.add_entries(
            users,
            valid["users"],
            by=self.author(request),
            expires=valid["expires_at"],
            comment=valid["comment"],
        )
        return Response({"added": added, "there_already": len(set(valid["users"])) - added})


class EndEntry(RuleView):
    """POST the end of an entry: it is never edited otherwise."""

    rights = CHANGES

    @operations.END_ENTRY
    def post(self, request: Request, id: str, entry: str) -> Response:
        self.posted(request, bodies.Nothing)
        found = get_object_or_404(ListEntry.objects.select_related("made_by"), list=id, pk=entry)
        lifecycle.end_entry(found)
        return Response(pages.entry_as_dict(found))
