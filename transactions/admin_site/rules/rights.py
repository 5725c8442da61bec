"""Who may see, write and decide on rules, and why a version is not approved by somebody who might."""

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from ...access.rights import Right, rights_of
from ...rules import lifecycle
from ...rules.models import Version
from ..lists import M
from ..own_pages import OwnPages


class SeenWithRules(OwnPages[M]):
    """For the admin of a model: whoever may see rules sees it, and nobody else, whatever they may change."""

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return may_view(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_view(request.user)


def may_view(user: Any) -> bool:
    return Right.VIEW_RULES in rights_of(user)


def may_change(user: Any) -> bool:
    """Write drafts and lists, and submit."""
    return Right.CHANGE_RULES in rights_of(user)


def may_approve(user: Any) -> bool:
    """Bring a version into force, and end one, in force or not."""
    return Right.APPROVE_RULES in rights_of(user)


def may_end(user: Any, version: Version) -> bool:
    """End a version: whoever approves; one that nobody has approved its author too."""
    return may_approve(user) or (may_change(user) and lifecycle.may_withdraw(version, user))


def demand(allowed: bool) -> None:
    """Raises PermissionDenied, a 403, unless it is allowed."""
    if not allowed:
        raise PermissionDenied


def why_not_approve(version: Version, request: HttpRequest) -> str:
    """Why this user is not offered to approve a version; "" where there is no reason."""
    if not may_approve(request.user):
        return "You may not approve versions: somebody with that right does."
    if not settings.FOUR_EYES:
        return ""
    if version.author_id is None:
        return "Nobody is known as its author, so no second person can approve it: make a new draft of it."
    if version.author_id == request.user.pk:
        return "You wrote this version, so somebody else approves it."
    return ""
