"""In which encoding a body comes: UTF-8, as it states, whole and without a mark; what is not is named."""

import json
from typing import Any, cast

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection

pytestmark = pytest.mark.django_db(transaction=True)

ADD, MANY = "/api/add-transaction/", "/api/add-transactions/"
JSON, NDJSON, FORM = "application/json", "application/x-ndjson", "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


def bodies(payer: User, id: str = "é") -> list[tuple[str, str, bytes]]:
    """The same record in each form: path, type and body."""
    record = json.dumps({"transaction_id": id, "user": payer.pk, "amount": 1}, ensure_ascii=False).encode()
    fields = {"transaction_id": id.encode(), "user": b"%d" % payer.pk, "amount": b"1"}
    parts = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
        for name, value in fields.items()
    )
    return [
        (ADD, JSON, record),
        (MANY, JSON, b"[%s]" % record),
        (MANY + "?atomic=true", JSON, b"[%s]" % record),
        (MANY, NDJSON, record),
        (ADD, FORM, b"&".join(b"%s=%s" % (name.encode(), value) for name, value in fields.items())),
        (ADD, MULTIPART, parts + b"--b--\r\n"),
    ]


def post(api: APIClient, path: str, content_type: str, body: bytes) -> Any:
    # As it is: the test client would encode a text in the charset that is stated.
    return api.generic("POST", path, cast("str", body), content_type=content_type)


@pytest.mark.parametrize("stated", ["utf-8", "UTF-8", "utf8", "Utf_8", '"utf-8"', " utf-8 "])
def test_utf_8_may_be_stated_in_any_spelling(api: APIClient, people: list[User], stated: str) -> None:
    for path, content_type, body in bodies(people[0]):
        answer = post(api, path, f"{content_type}; charset={stated}", body)
        assert answer.status_code == 200, answer.content
    assert b"\\u00e9" in api.get("/api/transactions/%C3%A9/").content


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ("iso-8859-1", "iso-8859-1"),
        ("utf-16", "utf-16"),
        ("foo", "foo"),
        ("utf-8; charset=latin1", "latin1"),
        ("latin1; charset=utf-8", "latin1"),
        ("x" * 200, "x" * 60),
        ("", ""),
    ],
)
def test_another_charset_is_named_and_nothing_is_read_in_it(
    api: APIClient, people: list[User], stated: str, named: str
) -> None:
    for path, content_type, body in bodies(people[0]):
        answer = post(api, path, f"{content_type}; charset={stated}", body)
        told = {"detail": f'Unsupported charset "{named}". Send UTF-8.'}
        assert (answer.status_code, answer.json()) == (415, told), content_type
    assert not connection().exists(QUEUE)


def test_a_part_of_a_form_has_no_charset_of_its_own(api: APIClient, people: list[User]) -> None:
    body = bodies(people[0])[-1][2].replace(
        b'"transaction_id"', b'"transaction_id"\r\nContent-Type: text/plain; charset=iso-8859-1'
    )
    answer = post(api, ADD, MULTIPART, body)
    told = {"detail": 'Unsupported charset "iso-8859-1". Send UTF-8.'}
    assert (answer.status_code, answer.json()) == (415, told)


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        (b"\xef\xbb\xbf", "The body begins with a byte order mark (U+FEFF): send it without."),
        (b"\xff\xfe", "The body is in UTF-16: send UTF-8."),
        (b"\xfe\xff", "The body is in UTF-16: send UTF-8."),
    ],
)
def test_a_byte_order_mark_is_named(api: APIClient, people: list[User], mark: bytes, told: str) -> None:
    for path, content_type, body in bodies(people[0])[:-1]:
        answer = post(api, path, content_type, mark + body)
        assert (answer.status_code, answer.json()) == (400, {"detail": told}), content_type


@pytest.mark.parametrize("text", ["%ZZ", "100%", "%4", "a%u00e9"])
def test_what_is_no_percent_escape_is_named(api: APIClient, people: list[User], text: str) -> None:
    told = 'which is no percent escape: "%" itself is "%25".'
    body = f"transaction_id={text}&user={people[0].pk}&amount=1"
    answer = post(api, ADD, FORM, body.encode())
    assert answer.status_code == 400
    assert told in answer.json()["detail"]
    for path in ("/api/transactions/", "/api/pipeline/", "/api/transactions/average/", ADD):
        answer = api.generic("POST" if path == ADD else "GET", path, QUERY_STRING=f"transaction_id={text}")
        assert answer.status_code == 400
        assert told in answer.json()["detail"]
