"""The API as it tells itself: the OpenAPI schema, and a page that shows it."""

from django.http import HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from . import operations


class Schema(APIView):
    """GET the OpenAPI schema, as JSON. Who may read nothing else does not read this either."""

    @operations.SCHEMA
    def get(self, request: Request) -> Response:
        return Response(SchemaGenerator().get_schema(request=request, public=True))


class Docs(APIView):
    """GET the schema as a page on which calls can be tried, for members of staff with a session."""

    @operations.DOCS
    def get(self, request: Request) -> HttpResponse:
        return render(request._request, "transactions/docs.html")
