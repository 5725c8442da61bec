"""The REST API: read the request, call one function, answer."""

from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import Http404
from rest_framework.exceptions import ParseError, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from . import answers, books, operations, transaction
from .authentication import take_for_batch
from .epochs import empty_everything
from .parsers import BatchParser, NDJSONParser
from .postgres import Session
from .serializers import RecordSerializer

DELETED = "Deleted all rows from transactions_transaction table"


def _request_id(request: Request) -> str:
    return answers.request_id(request.headers.get("X-Request-Id", ""))


def _response(answer: answers.Answer) -> Response:
    return Response(answer.body, status=answer.status, headers=answer.headers)


class AddTransaction(APIView):
    """POST one transaction: 200 once it is safe in Redis."""

    @operations.ADD_TRANSACTION
    def post(self, request: Request) -> Response:
        serializer = RecordSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return _response(async_to_sync(answers.to_record)(serializer.record(), _request_id(request)))


class AddTransactions(APIView):
    """POST many transactions, as a JSON array or NDJSON; `?atomic=true` for all or none."""

    parser_classes = (BatchParser, NDJSONParser)

    @operations.ADD_TRANSACTIONS
    def post(self, request: Request) -> Response:
        atomic = request.query_params.get("atomic", "false")
        if atomic not in ("true", "false"):
            raise ValidationError({"atomic": ['Must be "true" or "false".']})
        documents = request.data
        if not isinstance(documents, list):
            raise ParseError("Expected a JSON array of transactions, or NDJSON.")
        most = answers.most_records(atomic == "true")
        if len(documents) > most:
            raise ParseError(f"Too many records: {len(documents)}. At most {most} at once.")
        take_for_batch(request._request, len(documents))
        answer = async_to_sync(answers.to_batch)(documents, _request_id(request), atomic=atomic == "true")
        return _response(answer)


class TransactionDetail(APIView):
    """GET one transaction, stored, waiting or refused at the flush."""

    @operations.TRANSACTION
    def get(self, request: Request, id: str) -> Response:
        found = transaction.find(id)
        if found is None:
            raise Http404
        return Response(found)


class DeleteTransactions(APIView):
    """DELETE everything, on a system that allows it."""

    @operations.DELETE_TRANSACTIONS
    def delete(self, request: Request) -> Response:
        if not settings.ALLOW_DELETE_ALL:
            raise PermissionDenied("Deleting everything is switched off (ALLOW_DELETE_ALL).")
        with Session() as session:
            empty_everything(session)
        return Response({"message": DELETED})


class Pipeline(APIView):
    """GET the books."""

    @operations.PIPELINE
    def get(self, request: Request) -> Response:
        return Response(books.read().as_dict())
