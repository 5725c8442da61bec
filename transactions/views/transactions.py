"""The calls about transactions, and what concerns the whole system."""

from functools import cache
from threading import Lock
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from rest_framework.exceptions import ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from ..access.rights import Right
from ..access.throttling import take_for_batch
from ..audit.actors import because
from ..books import balance
from ..intake import answers, batches, request_ids
from ..intake.outcomes import IntakeUnavailable
from ..intake.parsers import NO_BATCH, BatchParser, NDJSONParser, PostedBatch
from ..openapi import operations
from ..reading import audit_trail, averages, detail, listing
from ..reading.paging import Page
from ..reading.parameters import BatchParameters, DeletionParameters
from ..serializers import RecordSerializer
from ..stores.shared_reading import SharedReading
from ..stores.standby_reads import from_standby
from ..uploads.emptying import empty_everything
from .base import ApiView, PageRenderer, paged

# What whoever may do anything here may read.
ANY_RIGHT: dict[str, Right | None] = dict.fromkeys(("GET", "HEAD", "OPTIONS"))


def _request_id(request: Request) -> str:
    return request_ids.kept_or_new(request.headers.get("X-Request-Id", ""))


def _response(answer: answers.Answer) -> Response:
    return Response(answer.body, status=answer.status, headers=answer.headers)


class AddTransaction(ApiView):
    """POST one transaction: 200 once it is safe in Redis."""

    takes_transactions = True

    @operations.ADD_TRANSACTION
    def post(self, request: Request) -> Response:
        serializer = RecordSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return _response(async_to_sync(answers.to_record)(serializer.record(), _request_id(request)))


class AddTransactions(ApiView):
    """POST many transactions, as a JSON array or NDJSON; `?atomic=true` for all or none."""

    takes_transactions = True
    parser_classes = (BatchParser, NDJSONParser)
    parameters = BatchParameters

    @operations.ADD_TRANSACTIONS
    def post(self, request: Request) -> Response:
        atomic = self.asked.validated_data["atomic"]
        batch = request.data
        if not isinstance(batch, PostedBatch):
            raise ParseError(NO_BATCH)
        most = answers.most_records(atomic)
        try:
            with batch.turn():
                count = batch.count()
            if count > most:
                raise ParseError(f"Too many records: {count}. At most {most} at once.")
            take_for_batch(request._request, count)
            with batch.turn(count):
                judged = batches.judge(batch.items())
        except IntakeUnavailable as error:
            return _response(answers.unavailable(error))
        return _response(async_to_sync(answers.to_batch)(judged, _request_id(request), atomic=atomic))


class TransactionDetail(ApiView):
    """GET one transaction, stored, waiting or refused at the flush."""

    @operations.TRANSACTION
    def get(self, request: Request, id: str) -> Response:
        found = detail.find(id)
        if found is None:
            raise Http404
        return Response(found)


class DeleteTransactions(ApiView):
    """DELETE everything, on a system that allows it; `reason` says why."""

    parameters = DeletionParameters

    @operations.DELETE_TRANSACTIONS
    def delete(self, request: Request) -> Response:
        if not settings.ALLOW_DELETE_ALL:
            raise PermissionDenied("Deleting everything is switched off (ALLOW_DELETE_ALL).")
        with because(self.asked.validated_data.get("reason", "")):
            empty_everything()
        return Response(operations.DELETED)


class Pipeline(ApiView):
    """GET the books, and how the rules are."""

    @operations.PIPELINE
    def get(self, request: Request) -> Response:
        return Response(books())


def _read_books() -> dict[str, Any]:
    return {**balance.read().as_dict(), "rules": balance.rules_as_dict()}


# The books, and how the rules are, as the API shows them. Raises redis.RedisError.
books = SharedReading(_read_books)


class AuditTrail(ApiView):
    """GET who did what, newest first, page by page, with a right of its own."""

    rights = dict.fromkeys(("GET", "HEAD", "OPTIONS"), Right.AUDIT)
    parameters = audit_trail.TrailParameters

    @operations.AUDIT
    def get(self, request: Request) -> Response:
        return paged(request, audit_trail.page(self.asked.validated_data))


class TransactionList(ApiView):
    """GET transactions, newest first, page by page."""

    renderer_classes = (PageRenderer,)
    parameters = listing.ListParameters
    asked: listing.ListParameters

    @operations.TRANSACTIONS
    def get(self, request: Request) -> Response:
        return paged(request, listed(self.asked.wanted()))


def listed(wanted: listing.Wanted) -> Page:
    """The page that is wanted. Raises what `listing.page` raises."""
    if wanted.transaction_id is not None:
        # It is told wherever it is; on a standby it may be nowhere for a moment.
        return listing.page(wanted)
    return from_standby(lambda: listing.page(wanted)).told


class TransactionAverages(ApiView):
    """GET the average, count and total of each day."""

    parameters = averages.AverageParameters
    asked: averages.AverageParameters

    @operations.AVERAGES
    def get(self, request: Request) -> Response:
        return Response(averaged(self.asked.question()))


def averaged(question: averages.Question) -> dict[str, Any]:
    """The averages that are asked for. Raises what `averages.daily_averages` raises."""
    return from_standby(lambda: averages.daily_averages(question)).told


_making = Lock()


@cache
def _made_schema() -> dict[str, Any]:
    made: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    return made


def _schema() -> dict[str, Any]:
    """The schema, made once for a process, as its generator bears one thread at a time."""
    with _making:
        return _made_schema()


class Schema(ApiView):
    """GET the OpenAPI schema, as JSON, with any right. Who may do nothing here does not read this either."""

    rights = ANY_RIGHT

    @operations.SCHEMA
    def get(self, request: Request) -> Response:
        return Response(_schema())


class Docs(ApiView):
    """GET the schema as a page on which calls can be tried, for members of staff with a session."""

    rights = ANY_RIGHT

    @operations.DOCS
    def get(self, request: Request) -> HttpResponse:
        return render(request._request, "transactions/docs.html")
