"""A file on its way in: taken apart as it comes, kept in PostgreSQL, and nowhere else.

Django reads a form as soon as anybody looks at it, which its check of the form's token does first. So the
right is asked before that, and what puts the file away is set before that too.
"""

from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import admin
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from ...importing import mapping as mappings
from ...importing.systems import SYSTEMS
from ...uploads import steps
from ...uploads.content import PORTION_BYTES, Keeping
from ...uploads.limits import KEPT, OPEN_MAX, OPEN_OF_PERSON_MAX, UPLOAD_PATH
from ...uploads.models import Upload
from ..sent_once import sent_once
from . import page, rights

FIELD = "file"
NONE = "Choose a file."
# What a browser sends around a file: its script says that a file is too large before it is sent.
FORM_BYTES = 4 * 1024


class ReceivedFile(NamedTuple):
    """What a form has in place of a file whose bytes are kept: enough to tell it from another."""

    upload: Upload
    size: int
    digest: str


class IntoPortions(FileUploadHandler):
    """Keeps the first file of a form as it comes; `refused` says why there is no room for it.

    `kept`: whether it is to stay; else all that was written goes, with the transaction.
    """

    chunk_size = PORTION_BYTES // 4

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.refused, self.kept = "", False
        self.received: ReceivedFile | None = None
        self._upload: Upload | None = None
        self._keeping: Keeping | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self.field_name != FIELD or self._upload is not None or self.refused:
            raise SkipFile
        try:
            self._upload = steps.begin(self.file_name or "", self._user())
        except steps.UploadRefused as refused:
            self.refused = str(refused)
            raise SkipFile from None
        self._keeping = Keeping(self._upload)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        assert self._keeping is not None
        self._keeping.add(raw_data)

    def file_complete(self, file_size: int) -> Any:
        if self._upload is None or self._keeping is None or self.received is not None:
            return None
        digest = self._keeping.end()
        self.received = ReceivedFile(self._upload, self._keeping.size, digest)
        return self.received

    def _user(self) -> Any:
        assert self.request is not None
        return self.request.user


@csrf_exempt
def new(request: HttpRequest) -> HttpResponse:
    """The form of a file, and the file: what its token is for is checked once the file has been taken apart.

    All of it is one transaction: of a form that is refused nothing is left.
    """
    rights.demand(request)
    if request.method != "POST":
        return _form(request)
    with transaction.atomic():
        handler = IntoPortions(request)
        request.upload_handlers = [handler]
        response = csrf_protect(_receive)(request, handler)
        if not handler.kept:
            transaction.set_rollback(True)
    return response


@sent_once
def _receive(request: HttpRequest, handler: IntoPortions) -> HttpResponse:
    if handler.received is None:
        return _form(request, handler.refused or NONE, is_full=bool(handler.refused))
    upload = handler.received.upload
    source = request.POST.get("source", "")
    if source in mappings.shipped():
        upload.mapping = mappings.write(mappings.read(source))
    try:
        steps.receive(upload, size=handler.received.size, digest=handler.received.digest)
    except steps.UploadRefused as refused:
        return _form(request, str(refused))
    handler.kept = True
    return redirect("admin:uploads_upload_change", upload.pk)


def _form(request: HttpRequest, error: str = "", *, is_full: bool = False) -> HttpResponse:
    """With `is_full` it names the files that are in the way."""
    context = {
        **admin.site.each_context(request),
        "title": "Upload a file",
        "error": error,
        "action": UPLOAD_PATH,
        "bytes_max": settings.UPLOAD_BYTES_MAX - FORM_BYTES,
        "size_max": filesizeformat(settings.UPLOAD_BYTES_MAX),
        "open_of_person_max": OPEN_OF_PERSON_MAX,
        "open_max": OPEN_MAX,
        "kept_days": KEPT.days,
        "systems": SYSTEMS,
        "in_the_way": _in_the_way(request) if is_full else [],
    }
    response = TemplateResponse(request, "admin/uploads/new.html", context)
    # Rendered within the transaction, which may have to be rolled back.
    return response.render()


def _in_the_way(request: HttpRequest) -> list[tuple[Upload, str]]:
    """The files that have to be imported or removed first, as far as one sees them, each with its state.

    One's own come before others.
    """
    seen = steps.in_the_way().filter(pk__in=rights.seen_by(request.user))
    found = [(upload, page.state_of(upload)) for upload in seen[:OPEN_MAX]]
    return sorted(found, key=lambda each: each[0].uploaded_by_id != request.user.pk)
