"""CSV files of the admin's lists."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import DAY, insert_many, page, reject, staff, store, superuser, url
from tests.support.outages import locked
from transactions.admin_site import exports, lists
from transactions.stores import bounded_queries

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def five_portions(people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty transactions, which are read seven at a time."""
    monkeypatch.setattr(exports, "PORTION_ROWS", 7)
    insert_many(people, 30)


def saved(client: Client, model: str, query: str = "") -> list[list[str]]:
    """The lines of a list's CSV."""
    response = client.get(reverse(f"admin:transactions_{model}_export") + query)
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith("attachment; filename=")
    assert isinstance(response, StreamingHttpResponse)
    return list(csv.reader(io.StringIO(response.getvalue().decode())))


def ids(lines: list[list[str]]) -> list[str]:
    return [line[0] for line in lines[1:]]


def test_it_has_every_row_once_and_in_the_lists_order(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PORTION_ROWS", 7)
    insert_many(people, 100)
    # Many rows of one moment: a portion ends amid them.
    for n in range(30):
        store(people[0], f"S{n}", created_at=DAY)
    lines = saved(root, "transaction")
    assert lines[0][:5] == ["transaction_id", "user_id", "customer_name", "amount", "status"]
    assert {(line[1], line[2]) for line in lines[1:]} == {(str(each.pk), each.username) for each in people}
    expected = [f"S{n}" for n in range(29, -1, -1)] + [f"M{n}" for n in range(100, 0, -1)]
    assert ids(lines) == expected
    assert ids(saved(root, "transaction", "?order=oldest")) == expected[::-1]


def test_one_whose_first_rows_take_too_long_is_a_page_that_says_so_and_its_place_is_free(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    store(people[0], "INV-1")
    path = reverse("admin:transactions_transaction_export") + "?q=INV"
    for _ in range(exports.AT_ONCE_MAX + 1):
        with locked("transactions_transaction"), monkeypatch.context() as impatient:
            impatient.setattr(bounded_queries, "STATEMENT_MS_MAX", 200)
            response = root.get(path)
        assert response.status_code == 503
        assert "longer than 0.2 seconds" in response.content.decode()
    assert ids(saved(root, "transaction", "?q=INV")) == ["INV-1"]


@pytest.mark.parametrize("what", ["_text", "note"])
def test_one_that_fails_in_whatever_way_has_its_place_freed(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    store(people[0], "INV-1")
    root.raise_request_exception = False

    def fails(*_: object, **__: object) -> None:
        raise MemoryError

    for _ in range(exports.AT_ONCE_MAX + 1):
        with monkeypatch.context() as broken:
            broken.setattr(exports if what == "_text" else lists, what, fails)
            assert root.get(reverse("admin:transactions_transaction_export")).status_code == 500
    assert ids(saved(root, "transaction")) == ["INV-1"]


def test_one_whose_next_rows_take_too_long_is_cut(
    root: Client, five_portions: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = root.get(reverse("admin:transactions_transaction_export"))
    assert isinstance(response, StreamingHttpResponse)
    monkeypatch.setattr(bounded_queries, "STATEMENT_MS_MAX", 200)
    with locked("transactions_transaction"), pytest.raises(TimeoutError):
        list(response)
    response.close()


def test_one_that_takes_for_ever_gives_way_to_the_next_who_asks(
    root: Client, five_portions: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = reverse("admin:transactions_transaction_export")

    def begun() -> StreamingHttpResponse:
        response = root.get(path)
        assert isinstance(response, StreamingHttpResponse)
        next(iter(response))
        return response

    first, second = begun(), begun()
    assert root.get(path).status_code == 503
    monkeypatch.setattr(exports, "LONGEST_S", 0.0)
    third = begun()
    monkeypatch.setattr(exports, "LONGEST_S", 600.0)
    with pytest.raises(TimeoutError):
        list(first)
    first.close()
    # Two places are taken still, and freed once each.
    assert root.get(path).status_code == 503
    assert b"".join(second).count(b"\r\n") == 30
    for response in (second, third, third):
        response.close()
    for response in (begun(), begun()):
        response.close()


def test_it_is_filtered_as_the_list_is(root: Client, people: list[User]) -> None:
    store(people[0], "A", status="FAILED")
    store(people[1], "B", status="FAILED", created_at=DAY + timedelta(seconds=1))
    store(people[1], "C")
    assert ids(saved(root, "transaction", "?status=FAILED")) == ["B", "A"]
    assert ids(
        saved(
            root,
            "transaction",
            f"?user={people[1].pk}&amount_min=1000&from=2026-03-14T12:00&to=2026-03-14T12:00:01",
        )
    ) == ["C"]
    reject("x", id="OPEN")
    reject("x", id="GONE", resolution="DISCARDED")
    assert [line[1] for line in saved(root, "rejectedrecord")[1:]] == ["OPEN"]


def test_the_page_leads_to_the_csv_of_what_it_shows(client: Client, people: list[User]) -> None:
    superuser(client)
    shown = page(client, url("transaction", "?status=FAILED"))
    assert reverse("admin:transactions_transaction_export") + "?status=FAILED" in shown
    assert "export/" not in page(client, url("epoch"))


def test_only_who_may_view_the_list_may_save_it(client: Client, people: list[User]) -> None:
    path = reverse("admin:transactions_transaction_export")
    assert client.get(path).status_code == 302
    staff(client, "view_rejectedrecord")
    assert client.get(path).status_code == 403


def test_a_filter_that_makes_no_sense_is_refused(client: Client, people: list[User]) -> None:
    superuser(client)
    assert client.get(reverse("admin:transactions_transaction_export") + "?user=x").status_code == 400


@pytest.mark.parametrize(
    ("value", "shown"),
    [("=1+1", "'=1+1"), ("@x", "'@x"), ("-5", "'-5"), (-5, "-5"), ("a=b", "a=b"), (None, ""), ("", "")],
)
def test_no_text_is_a_formula_to_a_spreadsheet(value: object, shown: str) -> None:
    assert exports.cell(value) == shown


@pytest.mark.parametrize("sign", "=+-@＝＋－＠﹦﹢﹣﹫⁼⁺−")
@pytest.mark.parametrize(
    "before",
    # Spaces, a soft hyphen, zero width, BOM, bidi, controls, line ends, a variation selector, fillers, a tag.
    [
        "",
        *' \xa0\u3000\xad\u200b\ufeff\u200f\u202e\u2066\x00\x7f\x85\n\r\t\ufe0f\u034f\u3164\U000e0041"',
        " \t\r",
        "\ufeff\xa0",
    ],
)
def test_a_formula_is_seen_behind_what_is_not_and_in_any_width(before: str, sign: str) -> None:
    text = f"{before}{sign}1+1"
    shown = exports.cell(text)
    assert shown.startswith("'")
    assert shown.replace("'", "") == text


@pytest.mark.parametrize(
    "end", [";", "\t", "\n", "\r\n", "\r", "\u2028", "\x0b", "；", ";;", "; ", ';"', ";\ufeff"]
)
@pytest.mark.parametrize("sign", "=@＝")
def test_a_formula_is_guarded_where_another_separator_begins_a_cell(end: str, sign: str) -> None:
    shown = exports.cell(f"y{end}{sign}1+1;z")
    assert shown.startswith("'y")
    # Whichever ends a cell, none begins with the sign: an apostrophe stands before it.
    first, _, rest = shown.partition(sign)
    assert first.removeprefix("'y").count("'") == 1
    assert rest == "1+1;z"


@pytest.mark.parametrize(
    "text", ["a;b", "x; y", "é=1", "14:00", "Müller", "a,=b", "5 - 3", "日本語", "x\ny", "'x"]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert exports.cell(text) == text


def test_no_separator_finds_a_formula_in_a_file(root: Client, people: list[User]) -> None:
    store(people[0], "y;=1+1;z")
    store(people[0], "w", created_at=DAY + timedelta(seconds=1))
    response = root.get(reverse("admin:transactions_transaction_export"))
    assert isinstance(response, StreamingHttpResponse)
    text = response.getvalue().decode()
    header, later, earlier, end = text.split("\r\n")
    assert (header[:16], later[:4], earlier[:13], end) == ('"transaction_id"', '"w",', "\"'y;'=1+1;z\",", "")
    for separator in ",;\t":
        for line in csv.reader(io.StringIO(text), delimiter=separator):
            assert not [cell for cell in line if cell.startswith("=")]


def test_moments_are_in_the_zone_of_the_list(root: Client, people: list[User]) -> None:
    store(people[0])
    _, line = saved(root, "transaction", "?timezone=Asia/Kathmandu")
    assert line[5] == "2026-03-14T17:45:00+05:45"


def test_what_is_not_stored_is_not_saved(client: Client, people: list[User]) -> None:
    superuser(client)
    path = reverse("admin:transactions_transaction_export")
    assert client.get(f"{path}?state=waiting").status_code == 400
    assert "export/" not in page(client, url("transaction", "?state=waiting"))


def test_moments_are_in_iso_8601_and_utc() -> None:
    assert exports.cell(DAY) == "2026-03-14T12:00:00+00:00"
