"""Steps with an upload, each a button: check, import, cancel, again, remove."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from ...uploads import steps
from ...uploads.models import Upload
from ..sent_once import NothingStored, sent_once
from . import rights

STEPS: dict[str, tuple[Callable[..., None], str]] = {
    "check": (steps.ask_check, ""),
    "import": (steps.ask_import, ""),
    "cancel": (steps.cancel, "It is ended. What was posted until then stays."),
    "again": (steps.read_again, ""),
    "remove": (steps.remove, "The file and its refused rows are removed. What was imported stays."),
}

ASKING = frozenset({"check", "import", "again"})


@require_POST
@sent_once
def take(request: HttpRequest, key: int, step: str) -> HttpResponse:
    """A step with an upload; what cannot be done is told on its page."""
    upload = rights.own(request, key)
    if step not in STEPS:
        raise Http404("There is no such step.")
    act, done = STEPS[step]
    try:
        # What a worker does then it does for whoever asked.
        act(upload, by=request.user) if step in ASKING else act(upload)
    except steps.UploadRefused as refused:
        raise NothingStored(reverse("admin:uploads_upload_change", args=[key]), str(refused)) from None
    except Upload.DoesNotExist:
        raise Http404(rights.NOT_THERE) from None
    else:
        if done:
            messages.success(request, done)
        if step == "remove":
            return redirect("admin:uploads_upload_changelist")
    return redirect("admin:uploads_upload_change", key)
