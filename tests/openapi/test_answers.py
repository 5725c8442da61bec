"""The answers that made-up requests hardly ever get are as the OpenAPI schema says, headers too."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

from tests.support.serving import daphne
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.openapi import operations

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ADD, MANY = "/api/add-transaction/", "/api/add-transactions/"
POSTED = {**operations.POSTED, "user": 0}


class Checked:
    """A client each of whose answers is held against the schema."""

    def __init__(self, url: str, token: str) -> None:
        self.document: Any = SchemaGenerator().get_schema(public=True)
        self.client = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=20
        )

    def post(self, path: str, document: Any = None, **more: Any) -> httpx.Response:
        answer = self.client.post(path, **({"json": document} if document is not None else {}), **more)
        self.check(path.partition("?")[0], "post", answer)
        return answer

    def get(self, path: str, described: str, **more: Any) -> httpx.Response:
        answer = self.client.get(path, **more)
        self.check(described, "get", answer)
        return answer

    def check(self, path: str, method: str, answer: httpx.Response) -> None:
        said = self.resolved(self.document["paths"][path][method]["responses"][str(answer.status_code)])
        self.fits(said["content"][answer.headers["Content-Type"]]["schema"], answer.json())
        for name, header in said["headers"].items():
            header, given = self.resolved(header), answer.headers.get(name)
            assert given is not None or not header.get("required"), (answer, name)
            if given is not None:
                self.fits(header["schema"], int(given) if header["schema"]["type"] == "integer" else given)

    def resolved(self, piece: Any) -> Any:
        if "$ref" not in piece:
            return piece
        _, _, kind, name = piece["$ref"].split("/")
        return self.document["components"][kind][name]

    def fits(self, schema: Any, value: Any) -> None:
        validator = Draft202012Validator({**schema, "components": self.document["components"]})
        assert [error.message for error in validator.iter_errors(value)] == []


@contextmanager
def checked(*rights: Right, **environment: Any) -> Iterator[Checked]:
    token, _ = create("checked", rights=frozenset(rights))
    with daphne(ALLOW_ANONYMOUS_API="false", **environment) as url:
        checked = Checked(url, token)
        with checked.client:
            yield checked


def test_what_is_refused(people: list[User]) -> None:
    first = {**POSTED, "user": people[0].pk}
    other = {**first, "amount": 1}
    with checked(Right.POST) as api:
        # By the fast lane, then by Django's views.
        for headers in ({}, {"X-Other": "1"}):
            assert api.post(ADD, first, headers=headers).status_code == 200
            assert api.post(ADD, first, headers=headers).headers["Idempotent-Replayed"] == "true"
            assert api.post(ADD, other, headers=headers).status_code == 409
            assert api.post(ADD, POSTED, headers=headers).status_code == 400
            assert api.post(MANY, [other, POSTED], headers=headers).status_code == 200
            batch = [{**first, "transaction_id": "T2"}, other]
            assert api.post(f"{MANY}?atomic=true", batch, headers=headers).status_code == 409
            assert api.post(f"{MANY}?atomic=true", [*batch, POSTED], headers=headers).status_code == 400
            wrong = {**headers, "Authorization": "Bearer x"}
            assert api.post(ADD, first, headers=wrong).status_code == 401
        assert api.post(f"{MANY}?atomic=1", []).status_code == 400
        assert api.post(ADD, content="a,b", headers={"Content-Type": "text/csv"}).status_code == 415
        large = api.post(MANY, content=b" " * 6_000_000, headers={"X-Request-Id": "large"})
        assert (large.status_code, large.headers["X-Request-Id"]) == (413, "large")
        assert api.post(ADD, first, headers={"Host": "elsewhere.example"}).status_code == 400
        assert api.get("/api/pipeline/", "/api/pipeline/").status_code == 403


def test_what_is_limited(people: list[User]) -> None:
    limits: dict[str, Any] = {
        "RATE_LIMIT_RECORDS_PER_SECOND": "1",
        "RATE_LIMIT_BURST": "3",
        "MAX_BATCH_RECORDS": "3",
    }
    with checked(*Right, **limits) as api:
        told = [api.post(ADD, {**POSTED, "user": people[0].pk}) for _ in range(2)]
        assert [answer.status_code for answer in told] == [200, 200]
        assert "RateLimit-Remaining" in told[-1].headers
        assert api.post(MANY, [POSTED] * 3).status_code == 429
        assert api.post(MANY, [POSTED] * 3, headers={"X-Other": "1"}).status_code == 429
        assert any(api.get("/api/schema/", "/api/schema/").status_code == 429 for _ in range(4))


def test_what_waits_for_a_store(people: list[User]) -> None:
    with checked(*Right, REDIS_URL="redis://127.0.0.1:1/0") as api:
        for headers in ({}, {"X-Other": "1"}):
            record = {**POSTED, "user": people[0].pk}
            assert api.post(ADD, record, headers=headers).status_code == 503
            assert api.post(MANY, [record], headers=headers).status_code == 503
        assert api.get("/api/pipeline/", "/api/pipeline/").status_code == 503
        assert api.get("/api/transactions/none/", "/api/transactions/{id}/").status_code == 503
        assert api.get("/readyz", "/readyz").status_code == 503
