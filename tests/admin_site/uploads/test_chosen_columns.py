"""A column chosen on the page: what hangs on it is guessed anew, and asked as the command asks."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.rule_pages import plain
from tests.support.uploads import again, at, importer, step, uploaded
from transactions.admin_site.uploads.mapping_form import ASKED_MAX
from transactions.importing.guess import guess
from transactions.importing.mapping import Mapping, parse
from transactions.uploads import steps, told
from transactions.uploads.models import Upload, UploadStep

pytestmark = pytest.mark.django_db(transaction=True)

WISE = b"""ID,Status,Direction,Created on,Source amount (net),Source currency,Target name,Target amount (net)
T-1,COMPLETED,IN,2026-01-31 10:15:00,500.00,EUR,Anna Example,500.00
T-2,COMPLETED,OUT,2026-02-01 10:15:00,100.00,EUR,Cem Example,108.12
"""
ACCOUNTS = b"Datum,Betrag,Konto\n31.01.2026,500.00,1\n01.02.2026,70.50,3\n"
_SELECT = re.compile(r'<select [^>]*name="(map\.[^"]+)".*?</select>', re.DOTALL)
_INPUT = re.compile(r'<input type="text" [^>]*name="(map\.[^"]+)" value="([^"]*)"')
_SELECTED = re.compile(r'<option value="([^"]*)"\s+selected')


@pytest.fixture
def ina(people: list[User]) -> Client:
    return importer()[0]


def form_of(page: str) -> dict[str, str]:
    """What a browser sends of the form as it is shown."""
    sent = dict(_INPUT.findall(page))
    for match in _SELECT.finditer(page):
        chosen = _SELECTED.search(match[0])
        sent[match[1]] = chosen[1] if chosen else ""
    return sent


def shown(ina: Client, upload: Upload) -> str:
    return ina.get(at("change", upload.pk)).content.decode()


def send(ina: Client, upload: Upload, page: str, then: str = "check", **chosen: str) -> str:
    """The page after some fields of it have been changed, and all of it sent."""
    form = form_of(page) | {f"map.{name.replace('__', '.')}": value for name, value in chosen.items()}
    answer = ina.post(at("meaning", upload.pk), {**form, "then": then}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def asked(page: str) -> str:
    said = plain(page)
    return said.partition("To be answered")[2].partition("Money")[0]


def test_an_amount_by_hand_finds_the_direction_that_was_none_before_it(ina: Client) -> None:
    upload = step(uploaded(WISE))
    page = shown(ina, upload)
    assert form_of(page)["map.columns.direction"] == " "
    amount = "Source amount (net)"
    page = send(ina, upload, page, columns__amount=amount, columns__user="Target name", timezone="UTC")
    assert form_of(page)["map.columns.direction"] == "Direction"
    said = plain(page)
    assert "Found by what you chose" in said, said[said.find("What the file") - 600 :][:900]
    assert (
        "Column that says debit or credit"
        in said.partition("Found by what you chose")[2].partition("Look")[0]
    )
    # As the command asks of the same.
    given = Mapping({"amount": amount, "user": "Target name"}, timezone="UTC")
    assert [each.key for each in guess(told.head_table(upload), given).open] == ["negative"]
    assert "A negative amount is" in asked(page)
    assert again(upload).state == "WAITS"


def test_a_direction_that_is_said_to_be_none_stays_none(ina: Client) -> None:
    upload = step(uploaded(WISE))
    chosen = {"columns__amount": "Source amount (net)", "columns__user": "Target name"}
    page = send(ina, upload, shown(ina, upload), "show", **chosen, timezone="UTC", negative="refund")
    page = send(ina, upload, page, "show", columns__direction="")
    assert form_of(page)["map.columns.direction"] == ""
    assert parse(again(upload).mapping).columns["direction"] == ""


def test_a_customers_column_by_hand_has_names_where_the_command_says_names(ina: Client) -> None:
    upload = step(uploaded(ACCOUNTS))
    page = shown(ina, upload)
    page = send(ina, upload, page, "check", columns__user="Konto", status="SUCCESS", timezone="UTC")
    assert form_of(page)["map.users"] == "name"
    assert again(upload).step == UploadStep.READ


def test_ids_by_hand_are_taken_as_the_column_has_them(ina: Client) -> None:
    upload = step(uploaded(b"a,who,amount\nx y,7,5.00\nz y,8,6.00\n"))
    page = shown(ina, upload)
    assert form_of(page)["map.ids"] == "content"
    page = send(ina, upload, page, "show", columns__transaction_id="a")
    assert form_of(page)["map.ids"] == "column"


def test_what_later_rows_show_is_asked_before_anything_is_posted(ina: Client, people: list[User]) -> None:
    """The page guesses by the first rows that it keeps, the command by more of them."""
    key = people[0].pk
    rows = [f"P{n},{key},5.00,paid,2026-03-14T12:00:00,2026-03-14" for n in range(250)]
    rows += [f"P{n},{key},5.00,paid,2026-03-14T12:00:00,2026-03-14" for n in range(250, 260)]
    upload = step(uploaded("\n".join(["id,customer,amount,status,date,x", *rows, ""]).encode()))
    meant = parse(upload.mapping)
    columns = {name: column for name, column in meant.columns.items() if name != "status"}
    without = meant.stating("status", "SUCCESS").stating("timezone", "UTC")
    steps.agree(upload, Mapping(columns).over(without.fitting(upload.columns)), create_users=False)
    Upload.objects.update(mapping=again(upload).mapping.replace('status = "status"\n', ""))
    steps.ask_check(upload)
    upload = step(upload)
    assert upload.step == UploadStep.READ
    assert "Column “status” may have the status. State “Column of the status”: status" in upload.error


def test_of_a_thousand_columns_of_kinds_the_first_are_asked_about(ina: Client) -> None:
    kinds = [f"type {number}" for number in range(990)]
    rows = [["id", "user", "amount", "status", *kinds], ["P1", "7", "5.00", "paid", *["fee"] * 990]]
    upload = step(uploaded("\n".join(map(",".join, rows)).encode()))
    page = shown(ina, upload)
    assert asked(page).count("has kinds of rows that may be no payments") == ASKED_MAX
    page = send(ina, upload, page, **{f"skip__type {number}": "none" for number in range(ASKED_MAX)})
    assert f"Column “type {ASKED_MAX}” has kinds" in asked(page)
    assert again(upload).state == "WAITS"
