"""The ways in which a record that is refused comes in, and what is told of it each time."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

ADD, MANY = "/api/add-transaction/", "/api/add-transactions/"


def written(payer: User, /, **more: Any) -> str:
    """A record as JSON; of a value that is bytes, those bytes as they are."""
    fields = {"transaction_id": "T1", "user": payer.pk, "amount": 1000, **more}
    pairs = (
        f"{json.dumps(name)}: {value.decode() if isinstance(value, bytes) else json.dumps(value)}"
        for name, value in fields.items()
    )
    return f"{{{', '.join(pairs)}}}"


def alone(api: APIClient, record: str) -> dict[str, Any]:
    answer = api.generic("POST", ADD, record, content_type="application/json")
    assert answer.status_code == 400, answer.content
    return dict(answer.json())


def in_a_batch(api: APIClient, record: str) -> dict[str, Any]:
    answer = api.generic("POST", MANY, f"[{record}]", content_type="application/json")
    assert answer.status_code == 200, answer.content
    return dict(answer.json()["errors"][0]["errors"])


def in_lines(api: APIClient, record: str) -> dict[str, Any]:
    answer = api.generic("POST", MANY, f"\n{record}\n", content_type="application/x-ndjson")
    assert answer.status_code == 200, answer.content
    return dict(answer.json()["errors"][0]["errors"])


def all_or_none(api: APIClient, record: str) -> dict[str, Any]:
    answer = api.generic("POST", f"{MANY}?atomic=true", f"[{record}]", content_type="application/json")
    assert answer.status_code == 400, answer.content
    return dict(answer.json()["errors"][0]["errors"])


Way = Callable[[APIClient, str], dict[str, Any]]
WAYS = pytest.mark.parametrize("way", [alone, in_a_batch, in_lines, all_or_none])
