"""One transaction, wherever it is: waiting, stored, or refused at the flush."""

from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from rest_framework.test import APIClient

from tests.support.accepting import body, push, queued
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "/api/add-transaction/"


def test_a_transaction_is_found_from_the_moment_of_its_answer(api: APIClient, people: list[User]) -> None:
    id = "a/b c"
    api.post(ADD, body(people[0], transaction_id=id, created_at="2026-01-31T23:59:59+03:30"), format="json")
    shown = {
        "transaction_id": id,
        "user": people[0].pk,
        "amount": 1000,
        "status": "PENDING",
        "created_at": "2026-01-31T20:29:59Z",
    }
    assert api.get("/api/transactions/a/b c/").json() == {"id": None, **shown}
    flush()
    row = Transaction.objects.get()
    assert api.get("/api/transactions/a%2Fb%20c").json() == {"id": row.pk, **shown}
    assert api.get(f"/api/transactions/{row.pk}/").json() == {"id": row.pk, **shown}
    api.post(ADD, body(people[0], transaction_id=id, status="SUCCESS"), format="json")
    assert api.get("/api/transactions/a/b c/").json() == {"id": row.pk, **shown, "status": "SUCCESS"}


def test_a_transaction_refused_at_the_flush_is_found_with_its_reason(
    api: APIClient, people: list[User]
) -> None:
    api.post(ADD, body(people[0]), format="json")
    people[0].delete()
    flush()
    answer = api.get("/api/transactions/TRX123456/")
    assert answer.status_code == 200
    assert answer.json()["id"] is None
    assert "does not exist" in answer.json()["rejected"]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (queued("R1", 1).encode().replace(b"R1", b"\xff"), "%EF%BF%BD"),
        (queued("T1", 1, created="2026-13-41T99:99:99.000000Z").encode(), "T1"),
    ],
    ids=["no UTF-8", "no date"],
)
def test_what_nobody_can_read_of_the_queue_is_no_transaction(
    api: APIClient, people: list[User], raw: bytes, path: str
) -> None:
    """Put there behind the system's back, so nobody was told that it was accepted."""
    push(raw)
    assert flush().rejected == 1
    assert api.get(f"/api/transactions/{path}/").status_code == 404


def test_a_refused_transaction_is_not_hidden_by_a_row_whose_key_is_its_id(
    api: APIClient, people: list[User]
) -> None:
    api.post(ADD, body(people[0], transaction_id="stored"), format="json")
    flush()
    key = Transaction.objects.get().pk
    api.post(ADD, body(people[1], transaction_id=str(key)), format="json")
    people[1].delete()
    flush()
    assert "rejected" in api.get(f"/api/transactions/{key}/").json()


@pytest.mark.parametrize("id", ["nothing", "9" * 23, "9" * 5000, "7", "%00", "%ff", "½"])
def test_an_unknown_transaction_is_404_in_json(api: APIClient, people: list[User], id: str) -> None:
    answer = api.get(f"/api/transactions/{id}/")
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


def test_without_postgresql_what_waits_is_found_and_the_rest_is_503(
    api: APIClient, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post(ADD, body(people[0]), format="json")
    database.close()
    monkeypatch.setitem(database.settings_dict, "HOST", "/nowhere")
    assert api.get("/api/transactions/TRX123456/").json()["id"] is None
    assert api.get("/api/transactions/other/").status_code == 503
    assert api.get("/api/pipeline/").json()["balanced"] is None
    monkeypatch.undo()
    database.close()


# What JavaScript's encodeURIComponent leaves as it is.
UNESCAPED = "!'()*-._~"
PATHS_NAMES = (".", "..", "average", "average/")
ODD_IDS = [
    *PATHS_NAMES,
    *("a/", "/a", "/", "//", "a//b", "../x", "a?b=c&d", "a#b", "a%2Fb", "%", "%ZZ", "+", "a+b", "a b", "a;b"),
    *(
        "null",
        "[1]",
        '"',
        "\\",
        "é",
        "e\u0301",
        "\u202eabc",
        "👩\u200d👩",
        "0",
        "-0",
        "1e3",
        "cursor=x",
        "x" * 100,
    ),
    *("'", "(", "*", "!", "~", "&", "=", "average x", "...", "a\ue000"),
]


@pytest.mark.parametrize("id", ODD_IDS)
def test_any_id_that_is_taken_is_read_back(api: APIClient, people: list[User], id: str) -> None:
    assert api.post(ADD, body(people[0], transaction_id=id), format="json").status_code == 200
    encoded = quote(id, safe=UNESCAPED)
    for _ in range(2):
        (found,) = api.generic("GET", "/api/transactions/", QUERY_STRING=f"transaction_id={encoded}").json()[
            "results"
        ]
        assert found["transaction_id"] == id
        if id not in PATHS_NAMES:
            assert api.get(f"/api/transactions/{encoded}/").json()["transaction_id"] == id
        flush()
