"""From each page of an upload there is a way on: none of them ends at a message alone."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.importing.reading import zipped
from tests.support.rule_pages import plain, text_of
from tests.support.uploads import MEANT, again, at, csv_of, imported, importer, payments, send, step, uploaded
from transactions.storing.flush import flush
from transactions.uploads import steps
from transactions.uploads.limits import UPLOAD_PATH
from transactions.uploads.models import Upload

pytestmark = pytest.mark.django_db(transaction=True)

TABLE = csv_of(["P1,1,1.00,paid,2026-03-14T12:00:00"])


@pytest.fixture
def ina(people: list[User]) -> Client:
    return importer()[0]


def test_where_django_has_a_form_of_its_own_a_file_is_uploaded(ina: Client) -> None:
    assert ina.get("/admin/uploads/upload/add/")["Location"] == UPLOAD_PATH
    other = Client()
    other.force_login(User.objects.create_user("sam", is_staff=True))
    assert other.get("/admin/uploads/upload/add/").status_code == 403


def test_of_a_zip_of_several_tables_one_is_chosen_and_nothing_is_tried_again_in_vain(ina: Client) -> None:
    upload = step(uploaded(zipped(a__csv=TABLE, b__csv=TABLE), name="two.zip"))
    page = ina.get(at("change", upload.pk)).content.decode()
    assert "The file has several: choose one." in page
    assert [f'<option value="{name}">' in page for name in ("a.csv", "b.csv")] == [True, True]
    assert "Try again" not in page

    ina.post(at("reading", upload.pk), {"read.member": "b.csv"})
    assert "b.csv" in step(upload).form


def test_a_file_that_cannot_be_read_can_be_read_in_another_way(ina: Client) -> None:
    upload = step(uploaded(b"\x00\x01\x02\x03\x04\x05" * 100, name="pic.csv"))
    said = text_of(ina, at("change", upload.pk))
    assert "pic.csv: no text, and in no form that is known here" in said
    assert "Read it so" in said
    assert "Try again" not in said


def test_a_step_that_was_cancelled_is_tried_again(ina: Client, people: list[User]) -> None:
    upload = uploaded(payments(people[0], 1))
    steps.cancel(upload)
    assert "Try again" in text_of(ina, at("change", upload.pk))


def test_files_that_are_in_the_way_are_named_with_their_states(
    ina: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "OPEN_OF_PERSON_MAX", 1)
    send(ina, b"\x89PNG\r\n", name="pic.csv")
    upload = step(Upload.objects.get())
    page = send(ina, TABLE).content.decode()
    assert f'href="{at("change", upload.pk)}"' in page
    said = plain(page)
    assert "files of yours are here and not imported: import or remove one first. pic.csv Failed" in said
    assert "pic.csv" not in text_of(ina, UPLOAD_PATH)


def test_an_import_leads_to_its_transactions_and_its_new_customers(people: list[User]) -> None:
    client, ina = importer("ina", "view_transaction", "add_user")
    rows = [f"P{n},new-{n},1.00,paid,2026-03-1{n}T12:00:30" for n in (4, 5)]
    upload = uploaded(csv_of(rows))
    step(upload)
    steps.agree(upload, MEANT.stating("users", "name"), create_users=True)
    steps.ask_check(upload)
    step(upload)
    steps.ask_import(upload, ina)
    step(upload)
    flush()
    page = client.get(at("change", upload.pk)).content.decode()
    (link,) = {part.split('"')[0] for part in page.split('href="')[1:] if "transaction/?from" in part}
    asked = parse_qs(urlsplit(link.replace("&amp;", "&")).query)
    assert asked == {"from": ["2026-03-14T12:00:30Z"], "to": ["2026-03-15T12:01:00Z"]}
    listed = text_of(client, link.replace("&amp;", "&"))
    assert all(each in listed for each in ("P4", "P5"))
    assert "See the customers, new ones first" in page


def test_who_may_not_see_transactions_is_not_led_to_them(ina: Client, people: list[User]) -> None:
    upload = imported(uploaded(payments(people[0], 1)))
    assert again(upload).outcome is not None
    assert "See the transactions" not in text_of(ina, at("change", upload.pk))
