"""The calls about rules, their versions, hits and files."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from rest_framework import status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ..openapi import rules as operations
from ..rulebook import bodies, pages, parameters
from ..rules import changes, documents, lifecycle, schema
from ..rules.models import Rule, Version, VersionState
from .base import Nothing, paged
from .rule_view import APPROVES, CHANGES, RuleView

# --- Rules -------------------------------------------------------------------------------------


class RuleList(RuleView):
    """GET rules, page by page; POST one with its first draft."""

    rights = CHANGES
    asks = parameters.RuleParameters

    @operations.RULES
    def get(self, request: Request) -> Response:
        return paged(request, pages.rules(self.asked.validated_data))

    @operations.ADD_RULE
    def post(self, request: Request) -> Response:
        valid = self.posted(request, bodies.NewRule).validated_data
        rule = changes.create(author=self.writer(request), **valid)
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
        valid = self.posted(request, bodies.NewVersion).validated_data
        try:
            version = changes.draft(rule, self.writer(request), **valid)
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
        self.posted(request, Nothing)
        lifecycle.submit(version, self.author(request))
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
    """POST the end of a version: by who approves, or by the author of one that nobody has approved."""

    rights = APPROVES

    def check_permissions(self, request: Request) -> None:
        try:
            super().check_permissions(request)
        except PermissionDenied:
            self.rights = CHANGES
            super().check_permissions(request)
            version = Version.objects.filter(rule=self.kwargs["id"], number=self.kwargs["number"]).first()
            if version is None or not lifecycle.may_withdraw(version, self.author(request)):
                raise

    @operations.RETIRE_VERSION
    def post(self, request: Request, id: str, number: str) -> Response:
        version = _version(id, number)
        self.posted(request, Nothing)
        end = lifecycle.withdraw if self.rights is CHANGES else lifecycle.retire
        end(version, self.author(request))
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
        return paged(request, pages.hits(rule, self.asked.validated_data))


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
        asked = self.asked.validated_data
        text = documents.export_rules(Rule.objects.filter(**asked), retired=bool(asked))
        return HttpResponse(text, content_type="application/json")


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
