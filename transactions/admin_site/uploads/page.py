"""The page of an upload: how far it is, what it means, what would happen, and what did."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from ... import money
from ...importing.mapping import parse
from ...importing.plan import REFUNDS
from ...importing.sums import REFUNDS_COUNT, money_text, other_text
from ...reading import customers
from ...rules.kinds.wording import counted
from ...templatetags.components import status_word
from ...timezones import on_page
from ...uploads import steps, told
from ...uploads.limits import KEPT, REFUSED_MAX
from ...uploads.models import UNDER_WAY, Upload, UploadState, UploadStep
from ..giving_up import gives_up
from ..lists import is_key
from ..sent_once import NothingStored, sent_once
from . import reading_form, rights
from .mapping_form import FormField, MappingForm, shown, typed

# Rows of the file, and refused rows, that the page shows.
ROWS_SHOWN, REFUSED_SHOWN = 10, 20
# Fields of a record that are shown, with what pages call them.
FIELDS_SHOWN = {
    "transaction_id": "Id", "user": "Customer", "amount": "Amount", "status": "Status", "created_at": "Time",
}  # fmt: skip
# The sum of what was kept before it was summed up.
NOTHING = {"rows": 0, "sum": "0"}
_DONE_WITH_IT = {UploadStep.READ: "read", UploadStep.CHECK: "checked", UploadStep.IMPORT: "imported"}


def state_of(upload: Upload) -> str:
    """How an upload is, in a few words."""
    if upload.state in UNDER_WAY:
        begins = "Waits to be" if upload.state == UploadState.QUEUED else "Being"
        return f"{begins} {_DONE_WITH_IT[UploadStep(upload.step)]}"
    if upload.state == UploadState.WAITS:
        return "Checked" if upload.step == UploadStep.CHECK else "To be agreed on"
    return "Imported" if upload.state == UploadState.DONE else upload.get_state_display()


@gives_up
def show(request: HttpRequest, key: str) -> HttpResponse:
    """The page, by what there is to do next."""
    rights.demand(request)
    if not is_key(key):
        raise Http404(rights.NOT_THERE)
    return _page(request, rights.held(request, key))


@require_POST
@sent_once
def meaning(request: HttpRequest, key: int) -> HttpResponse:
    """What the file means, as somebody has it; with `then` = check all of it is to be looked at."""
    upload = rights.own(request, key)
    create = "create_users" in request.POST and rights.may_make_customers(request.user)
    form = typed(upload, request.POST.dict(), create_users=create)
    if any(each.error for each in form.fields):
        return _page(request, upload, form)
    try:
        steps.agree(upload, form.meant, create_users=create)
        if request.POST.get("then") == "check":
            if not form.is_agreed:
                return _page(request, rights.own(request, key), form)
            steps.ask_check(upload, by=request.user)
    except steps.UploadRefused as refused:
        raise NothingStored(reverse("admin:uploads_upload_change", args=[key]), str(refused)) from None
    except Upload.DoesNotExist:
        raise Http404(rights.NOT_THERE) from None
    return redirect("admin:uploads_upload_change", key)


@require_POST
@sent_once
def reading(request: HttpRequest, key: int) -> HttpResponse:
    """How the file is read, as somebody states it: a worker reads it anew."""
    upload = rights.own(request, key)
    fields, stated = reading_form.typed(upload, request.POST.dict())
    if any(each.error for each in fields):
        return _page(request, upload, reading=fields)
    try:
        steps.read_as(upload, stated, by=request.user)
    except steps.UploadRefused as refused:
        raise NothingStored(reverse("admin:uploads_upload_change", args=[key]), str(refused)) from None
    except Upload.DoesNotExist:
        raise Http404(rights.NOT_THERE) from None
    return redirect("admin:uploads_upload_change", key)


def progress(request: HttpRequest, key: int) -> JsonResponse:
    """How far a step is, for the page that watches it."""
    upload = rights.held(request, key)
    return JsonResponse(
        {
            "under_way": upload.state in UNDER_WAY,
            "label": state_of(upload),
            "state": upload.state,
            "percent": _percent(upload),
            "told": _how_far(upload),
        }
    )


def _page(
    request: HttpRequest,
    upload: Upload,
    form: MappingForm | None = None,
    reading: list[FormField] | None = None,
) -> HttpResponse:
    may_act = rights.may_act_on(request.user, upload)
    is_open = may_act and upload.state == UploadState.WAITS and upload.step == UploadStep.READ
    if is_open and form is None:
        form = shown(upload)
    # Of several sheets or tables one is chosen once it has failed to be read.
    failed = (upload.state, upload.step) == (UploadState.FAILED, UploadStep.READ)
    if reading is None and may_act and (is_open or failed):
        reading = reading_form.shown(upload)
    before = steps.imported_before(upload)
    context = {
        **admin.site.each_context(request),
        "title": upload.name,
        "upload": upload,
        "state": state_of(upload),
        "size": filesizeformat(upload.size),
        "kept_days": KEPT.days,
        "is_under_way": upload.state in UNDER_WAY,
        "percent": _percent(upload),
        "how_far": _how_far(upload),
        "progress_url": reverse("admin:uploads_upload_progress", args=[upload.pk]),
        "before": before,
        "may_see_before": before is not None and rights.seen_by(request.user).filter(pk=before.pk).exists(),
        "may_act": may_act,
        "may_make_customers": rights.may_make_customers(request.user),
        "reading": reading,
        **({"form": form, **_first_rows(upload, form)} if is_open and form is not None else {}),
        **_summary(upload),
        **_outcome(upload),
        "may_see": request.user.has_perm(rights.SEE_ROWS),
        # What is asked about how it is read is answered below: nothing is gained by the same once more.
        "may_try_again": not (reading and upload.state == UploadState.FAILED),
    }
    return TemplateResponse(request, "admin/uploads/upload.html", context)


def _first_rows(upload: Upload, form: MappingForm) -> dict[str, Any]:
    """The first rows as they are, and as they would be posted."""
    rows = list(told.head_table(upload).rows())[:ROWS_SHOWN]
    planned = [] if form.preview is None else told.summary_as_json(form.preview)["first"]
    return {
        "raw": [
            (row.line, [(name, row.cells.get(name, "")) for name in upload.columns], row.fault)
            for row in rows
        ],
        "planned": _planned(planned),
        "heads_shown": _heads(),
    }


def _planned(planned: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = []
    # Of what was checked by an older release there is no key.
    named = customers.names(key for each in planned if (key := each.get("key")))
    for each in planned:
        record = dict(each["record"] or {})
        if name := named.get(each.get("key") or 0):
            record["user"] = f"{name} ({each['key']})"
        cells = [(head, _shown(name, record.get(name, "")), is_amount) for name, head, is_amount in _heads()]
        made.append({**each, "cells": cells})
    return made


def _shown(name: str, value: str) -> str:
    """A field of a record as pages write it: in the currency, in words, in the viewer's zone."""
    if not value:
        return ""
    if name == "amount":
        return money.text(int(value))
    if name == "status":
        return status_word(value)
    return on_page(timezone.localtime(datetime.fromisoformat(value))) if name == "created_at" else value


def _heads() -> list[tuple[str, str, bool]]:
    """Each field that is shown, the head of its column, and whether it is the amount."""
    notes = {"amount": money.unit_note()}
    return [(name, head + notes.get(name, ""), name in notes) for name, head in FIELDS_SHOWN.items()]


def _summary(upload: Upload) -> dict[str, Any]:
    """What would happen, once it is checked and not yet done."""
    if upload.summary is None or upload.state == UploadState.DONE:
        return {}
    summary: dict[str, Any] = upload.summary
    decimals = parse(upload.mapping).decimals or 0
    return {
        "summary": summary,
        "in_file": _sum(summary["in_file"], decimals),
        "by_status": _by_status(summary["by_status"], decimals),
        "money_replayed": _sum(summary.get("money_replayed", NOTHING), decimals),
        "money_refused": _sum(summary["money_refused"], decimals),
        "others": _others(summary.get("others", {}), decimals),
        "refunds_note": _refunds_note(summary["by_status"]),
        "first_planned": _planned(summary["first"]),
        "heads_shown": _heads(),
        "import_word": f"Import {counted(summary['records'], 'transaction')}",
    }


def _outcome(upload: Upload) -> dict[str, Any]:
    """What came of it so far."""
    if upload.outcome is None:
        return {}
    meant = parse(upload.mapping)
    outcome, decimals = upload.outcome, meant.decimals or 0
    return {
        "outcome": outcome,
        "reasons": told.progress_of(outcome)[0].reasons(),
        "is_of_content": meant.ids == "content",
        "times_of_list": _times_of_list(upload.summary or {}),
        "sums": {name: _by_status(outcome[name], decimals) for name in told.MONEY},
        "refused_money": _sum(outcome["refused_money"], decimals),
        "refused_others": _others(outcome.get("refused_others", {}), decimals),
        "refunds_note": _refunds_note({**outcome["accepted_money"], **outcome["either_money"]}),
        "either_rows": sum(found["rows"] for found in outcome["either_money"].values()),
        "refused_rows": list(upload.refused.order_by("id")[:REFUSED_SHOWN]),
        "refused_left_out": max(0, outcome["refused"] - REFUSED_MAX),
    }


def _by_status(sums: dict[str, Any], decimals: int) -> list[tuple[str, bool, int, str]]:
    """Each status, whether they are refunds, how many rows, and their sum as people read it."""
    return [
        (status.removesuffix(REFUNDS), status.endswith(REFUNDS), found["rows"], _sum(found, decimals))
        for status, found in sorted(sums.items())
    ]


def _times_of_list(summary: dict[str, Any]) -> str:
    """What narrows the list to the time of the file's transactions; "" where none has any."""
    if not (summary.get("earliest") and summary.get("latest")):
        return ""
    last = datetime.fromisoformat(summary["latest"]).replace(second=0, microsecond=0) + timedelta(minutes=1)
    bounds = {"from": summary["earliest"], "to": last.isoformat().replace("+00:00", "Z")}
    return urlencode(bounds)


def _others(sums: dict[str, Any], decimals: int) -> list[str]:
    """What is in other currencies, each as people read it."""
    return [other_text(int(found["sum"]), code, decimals) for code, found in sorted(sums.items())]


def _refunds_note(sums: dict[str, Any]) -> str:
    note = REFUNDS_COUNT if any(name.endswith(REFUNDS) for name in sums) else ""
    return f"{note[:1].upper()}{note[1:]}." if note else ""


def _sum(found: dict[str, Any], decimals: int) -> str:
    """A sum as people read it; without a currency with the decimals of the file, to be held beside it."""
    smallest = int(found["sum"])
    if money.code():
        return money.text(smallest)
    return money_text(smallest, decimals) + ("" if decimals else money.unit_note())


def _percent(upload: Upload) -> int | None:
    """None while nobody knows how many rows there are."""
    if upload.state == UploadState.QUEUED:
        return 0
    return None if not upload.rows else min(100, upload.done * 100 // upload.rows)


def _how_far(upload: Upload) -> str:
    """In rows; of an import what is in, which is less than what its worker has looked at."""
    if upload.step != UploadStep.IMPORT:
        return _rows(upload, upload.done)
    progress = told.progress_of(upload.outcome)[0]
    is_in = progress.accepted + progress.replayed
    if upload.state == UploadState.RUNNING:
        # It looks at all of them before it posts the first, also where it goes on behind rows that are in.
        said = f"{is_in:,} {'is' if is_in == 1 else 'are'} in" if is_in else "none is in yet"
        return f"{_rows(upload, upload.done)} looked at, {said}"
    if is_in:
        return f"{_rows(upload, is_in)} are in"
    return "none is in yet" if upload.state == UploadState.QUEUED else "none is in"


def _rows(upload: Upload, done: int) -> str:
    return f"{done:,} of {upload.rows:,} rows" if upload.rows else f"{done:,} rows"
