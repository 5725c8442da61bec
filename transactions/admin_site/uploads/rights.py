"""Who may import files, and who may have customers made for the names in them."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from ...uploads.models import Upload

IMPORT = "uploads.import_upload"


def may_import(user: Any) -> bool:
    """See all uploads, and take every step with them."""
    return bool(user.has_perm(IMPORT))


def may_make_customers(user: Any) -> bool:
    """Whoever adds customers may, and whoever changes people."""
    return bool(user.has_perm("auth.add_user") or user.has_perm("auth.change_user"))


def demand(request: HttpRequest) -> None:
    """Raises PermissionDenied, a 403, unless the user may import."""
    if not may_import(request.user):
        raise PermissionDenied


def held(key: str | int) -> Upload | None:
    """The upload of a key from a URL; None where there is none."""
    return Upload.objects.select_related("uploaded_by").filter(pk=int(key)).first()
