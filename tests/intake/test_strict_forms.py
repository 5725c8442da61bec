"""Forms are as strict as JSON: whole, in UTF-8, each field known and given once."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.intake.ways import ADD
from transactions.intake import parsers
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("format", ["multipart", "form"])
def test_a_form_s_fields_are_known_and_given_once(api: APIClient, people: list[User], format: str) -> None:
    def post(*pairs: tuple[str, str]) -> tuple[int, Any]:
        fields = [("transaction_id", "T1"), ("user", str(people[0].pk)), ("amount", "1"), *pairs]
        if format == "form":
            body = "&".join(f"{name}={value}" for name, value in fields)
            answer = api.generic("POST", ADD, body, content_type="application/x-www-form-urlencoded")
        else:
            parts = (
                f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                for name, value in fields
            )
            body = "".join([*parts, "--b--\r\n"])
            answer = api.generic("POST", ADD, body, content_type="multipart/form-data; boundary=b")
        return answer.status_code, answer.json()

    assert post(("Status", "FAILED")) == (400, {"Status": ['Unknown field. Did you mean "status"?']})
    assert post(("amount", "2")) == (400, {"amount": ["Give this once."]})
    assert post(("amount", "1")) == (400, {"amount": ["Give this once."]})
    assert post(("status", "x"), ("colour", "red"))[1].keys() == {"colour"}
    assert not connection().exists(QUEUE)
    # What Django's own forms add says nothing of the transaction.
    assert post(("csrfmiddlewaretoken", "x"))[0] == 200


@pytest.mark.parametrize("format", ["multipart", "form"])
def test_a_form_that_is_no_utf_8_is_refused(api: APIClient, people: list[User], format: str) -> None:
    """Read as something else, two ids would become one."""

    def post(body: Any, content_type: str) -> tuple[int, Any]:
        answer = api.generic("POST", ADD, body, content_type=content_type)
        return answer.status_code, answer.json()

    if format == "form":
        for id in (b"T%ff", b"T\xff"):
            body = b"transaction_id=%s&user=%d&amount=1" % (id, people[0].pk)
            status, told = post(body, "application/x-www-form-urlencoded")
            assert (status, "UTF-8" in str(told)) == (400, True)
    else:
        fields = {"transaction_id": b"T\xff", "user": b"%d" % people[0].pk, "amount": b"1"}
        parts = (
            b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
            for name, value in fields.items()
        )
        told = {"transaction_id": ["This is not UTF-8."]}
        assert post(b"".join([*parts, b"--b--\r\n"]), "multipart/form-data; boundary=b") == (400, told)


def test_a_form_of_a_thousand_fields_is_told_so(api: APIClient) -> None:
    body = "&".join(f"f{number}=1" for number in range(1001))
    answer = api.generic("POST", ADD, body, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "There are too many fields or parameters."},
    )


@pytest.mark.parametrize("format", ["multipart", "form"])
@pytest.mark.parametrize("name", ["transaction_id", "user", "amount", "status", "created_at"])
def test_a_form_s_empty_field_is_no_field_left_out(
    api: APIClient, people: list[User], format: str, name: str
) -> None:
    """A template whose variable is empty would make a FAILED PENDING, and a date of last week today's."""
    fields = {"transaction_id": "T1", "user": people[0].pk, "amount": 1, "status": "FAILED", name: ""}
    said = api.post(ADD, fields, format="json")
    for pairs in (f"{name}=", name):
        if format == "form":
            others = "&".join(f"{key}={value}" for key, value in fields.items() if key != name)
            answer = api.generic(
                "POST", ADD, f"{others}&{pairs}", content_type="application/x-www-form-urlencoded"
            )
        else:
            answer = api.post(ADD, fields, format="multipart")
        assert (answer.status_code, answer.json()) == (400, said.json())
        assert list(answer.json()) == [name]
    assert not connection().exists(QUEUE)


@pytest.mark.parametrize("end", ["", "\r\n", "\r\n--b", "\r\n--b-", "\r\n--b\r\n", "\r\n--bb--\r\n", "--b--"])
def test_a_multipart_form_that_is_cut_short_is_refused(api: APIClient, people: list[User], end: str) -> None:
    fields = {"transaction_id": "T1", "user": people[0].pk, "amount": "12"}
    parts = "\r\n".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'
        for name, value in fields.items()
    )
    for type in ("multipart/form-data; boundary=b", 'multipart/form-data; boundary="b"; charset=utf-8'):
        answer = api.generic("POST", ADD, parts + end, content_type=type)
        assert (answer.status_code, answer.json()) == (
            400,
            {"detail": parsers.CUT_SHORT},
        )
    assert not connection().exists(QUEUE)
    for whole in ("\r\n--b--\r\n", "\r\n--b--", "\r\n--b-- \t\r\nepilogue"):
        answer = api.generic("POST", ADD, parts + whole, content_type="multipart/form-data; boundary=b")
        assert answer.status_code == 200, answer.content
