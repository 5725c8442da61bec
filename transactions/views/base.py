"""What all calls of the API have in common: their parameters are checked, and pages lead to the next."""

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..encodings import escapes_fault
from ..reading.paging import Page
from ..reading.parameters import Parameters


class ApiView(APIView):
    """A call of the API. Its query string holds what `parameters` knows, each once, and nothing else."""

    parameters: type[Parameters[Any]] = Parameters
    # Whether a request that is refused counts as refused transactions.
    takes_transactions = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Checks who asks, then what for: `asked` has the parameters, checked."""
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods:
            return  # a method that there is not is refused as such, whatever is asked
        if fault := escapes_fault(request.META.get("QUERY_STRING", ""), "query string"):
            raise ParseError(fault)
        self.asked = self.parameters(data=request.query_params)
        self.asked.is_valid(raise_exception=True)


def paged(request: Request, page: Page) -> Response:
    """A page, and the URL of the next one."""
    return Response({"results": page.results, "next": _next(request, page.cursor)})


def _next(request: Request, cursor: str | None) -> str | None:
    """The URL of the same call that begins at `cursor`; None without one."""
    if cursor is None:
        return None
    query = request.query_params.copy()
    query["cursor"] = cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
