"""The REST API: read the request, call one function, answer."""

import re
import secrets

from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import ParseError, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from . import batches, books, ingest, transaction
from .epochs import empty_everything
from .ingest import Verdict
from .parsers import BoundedJSONParser, NDJSONParser
from .postgres import Session
from .serializers import NO_USER, RecordSerializer

OBTAINED = "Transaction detail was obtained successfully."
DELETED = "Deleted all rows from transactions_transaction table"
CONFLICT = "Differs from the transaction that was accepted with this transaction_id before."

_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


def request_id(request: Request) -> str:
    """The client's X-Request-Id where it is fit to be kept, else one of our own."""
    given = request.headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


class AddTransaction(APIView):
    """POST one transaction: 200 once it is safe in Redis."""

    def post(self, request: Request) -> Response:
        serializer = RecordSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        record = serializer.record()
        (outcome,) = async_to_sync(ingest.accept)([record], request_id(request))
        if outcome.verdict is Verdict.NO_USER:
            raise ValidationError({"user": [NO_USER.format(pk=record.user)]})
        if outcome.verdict is Verdict.CONFLICT:
            differing = {name: [CONFLICT] for name in batches.differing(record, outcome)}
            return Response(differing, status=status.HTTP_409_CONFLICT)
        response = Response({"message": OBTAINED})
        if outcome.verdict is Verdict.REPLAYED:
            response["Idempotent-Replayed"] = "true"
        return response


class AddTransactions(APIView):
    """POST many transactions, as a JSON array or NDJSON; `?atomic=true` for all or none."""

    parser_classes = (NDJSONParser, BoundedJSONParser)

    def post(self, request: Request) -> Response:
        atomic = request.query_params.get("atomic", "false").lower()
        if atomic not in ("true", "false"):
            raise ValidationError({"atomic": ['Must be "true" or "false".']})
        documents = request.data
        if not isinstance(documents, list):
            raise ParseError("Expected a JSON array of transactions, or NDJSON.")
        most = ingest.CALL_RECORDS_MAX if atomic == "true" else settings.MAX_BATCH_RECORDS
        if len(documents) > most:
            raise ParseError(f"Too many records: {len(documents)}. At most {most} at once.")
        report = async_to_sync(batches.accept)(documents, request_id(request), atomic=atomic == "true")
        return Response(report.as_dict(), status=report.status)


class TransactionDetail(APIView):
    """GET one transaction, stored, waiting or refused at the flush."""

    def get(self, request: Request, id: str) -> Response:
        found = transaction.find(id)
        if found is None:
            raise Http404
        return Response(found)


class DeleteTransactions(APIView):
    """DELETE everything, on a system that allows it."""

    def delete(self, request: Request) -> Response:
        if not settings.ALLOW_DELETE_ALL:
            raise PermissionDenied("Deleting everything is switched off (ALLOW_DELETE_ALL).")
        with Session() as session:
            empty_everything(session)
        return Response({"message": DELETED})


class Pipeline(APIView):
    """GET the books."""

    def get(self, request: Request) -> Response:
        return Response(books.read().as_dict())
