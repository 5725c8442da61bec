"""Who may import files, whose an upload is, and who may have customers made for the names in it.

An upload is of who uploaded it, and superusers: a file has rows that others may have no right to, and what is
imported of it cannot be taken back.
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from ...uploads.models import Upload

IMPORT = "uploads.import_upload"
SEE_ROWS = "transactions.view_transaction"
NOT_THERE = "There is no such upload."
OF_ANOTHER = "Only who uploaded this file, and superusers, may do that."


def may_import(user: Any) -> bool:
    """Upload files, and take every step with one's own."""
    return bool(user.has_perm(IMPORT))


def may_make_customers(user: Any) -> bool:
    """Whoever adds customers may, and whoever changes people."""
    return bool(user.has_perm("auth.add_user") or user.has_perm("auth.change_user"))


def demand(request: HttpRequest) -> None:
    """Raises PermissionDenied, a 403, unless the user may import."""
    if not may_import(request.user):
        raise PermissionDenied


def seen_by(user: Any) -> QuerySet[Upload]:
    """What somebody who may import sees: all, with the right to see transactions, else their own."""
    uploads = Upload.objects.all()
    return uploads if user.has_perm(SEE_ROWS) else uploads.filter(uploaded_by=user.pk)


def may_act_on(user: Any, upload: Upload) -> bool:
    """Whether the upload is their own; for a superuser any, also that of somebody who has been deleted."""
    return bool(user.is_superuser or (upload.uploaded_by_id is not None and upload.uploaded_by_id == user.pk))


def held(request: HttpRequest, key: str | int) -> Upload:
    """The upload of a key from a URL. Raises PermissionDenied, and Http404 also for one that is not seen."""
    demand(request)
    found = seen_by(request.user).select_related("uploaded_by").filter(pk=int(key)).first()
    if found is None:
        raise Http404(NOT_THERE)
    return found


def own(request: HttpRequest, key: str | int) -> Upload:
    """The same for what changes an upload, or takes its rows away: PermissionDenied for another's, too."""
    found = held(request, key)
    if not may_act_on(request.user, found):
        raise PermissionDenied(OF_ANOTHER)
    return found
