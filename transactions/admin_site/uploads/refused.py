"""The refused rows of an upload as a CSV file that goes in again, once it is corrected."""

import csv
import io
from collections.abc import Iterable, Iterator

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from ...audit.actions import Action
from ...audit.entries import note
from ...importing import errors_file
from ...uploads.limits import REFUSED_MAX
from ...uploads.models import Upload
from . import rights

PORTION_ROWS = 2_000


@require_safe
def download(request: HttpRequest, key: int) -> HttpResponseBase:
    """All that are kept, in the file's order; noted in the audit trail."""
    upload = rights.own(request, key)
    if upload.outcome is None:
        raise Http404("There are no such rows.")
    note(Action.UPLOAD_REFUSED_READ, upload, rows=min(upload.outcome["refused"], REFUSED_MAX))
    response = StreamingHttpResponse(_portions(upload), content_type="text/csv; charset=utf-8")
    name = slugify(upload.name.rpartition(".")[0]) or "file"
    response["Content-Disposition"] = f'attachment; filename="{name}-refused.csv"'
    return response


def _portions(upload: Upload) -> Iterator[bytes]:
    yield _text([errors_file.header(upload.columns, (upload.summary or {}).get("meant"))])
    after = 0
    while rows := list(upload.refused.filter(pk__gt=after).order_by("pk")[:PORTION_ROWS]):
        yield _text(row.cells for row in rows)
        after = rows[-1].pk


def _text(rows: Iterable[list[str]]) -> bytes:
    written = io.StringIO()
    # Lines end in CR LF: with either alone, Python 3.11 would leave a cell with the other unquoted.
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()
