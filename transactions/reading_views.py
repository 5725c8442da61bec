"""The REST API's lists and figures: read the request, call one function, answer."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from . import listing, operations, statistics


class TransactionList(APIView):
    """GET transactions, newest first, page by page; `next` is the URL of the next page."""

    @operations.TRANSACTIONS
    def get(self, request: Request) -> Response:
        parameters = listing.ListParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        page = listing.page(parameters.wanted())
        return Response({"results": page.results, "next": _next(request, page.cursor)})


def _next(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    query = request.query_params.copy()
    query["cursor"] = cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


class TransactionAverages(APIView):
    """GET the average, count and total of each day."""

    @operations.AVERAGES
    def get(self, request: Request) -> Response:
        parameters = statistics.AverageParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        return Response(statistics.daily_averages(parameters.question()))
