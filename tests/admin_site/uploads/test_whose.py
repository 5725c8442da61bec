"""Whose an upload is: of who uploaded it and of superusers; others look, if they may see transactions."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.rule_pages import plain, text_of
from tests.support.uploads import (
    again,
    at,
    checked,
    csv_of,
    imported,
    importer,
    payments,
    send,
    step,
    uploaded,
)
from transactions.uploads import steps
from transactions.uploads.models import Upload

pytestmark = pytest.mark.django_db(transaction=True)

OWN_ALONE = "Only who uploaded this file, and superusers"


@pytest.fixture
def ina(people: list[User]) -> Client:
    return importer()[0]


def acts(client: Client, upload: Upload) -> list[Any]:
    """Whatever changes an upload, or takes its rows away."""
    return [
        client.get(at("refused", upload.pk)),
        client.post(at("meaning", upload.pk)),
        client.post(at("reading", upload.pk)),
        *(
            client.post(at("step", upload.pk, name))
            for name in ("check", "import", "cancel", "again", "remove")
        ),
    ]


def test_another_who_may_import_finds_nothing_of_it(ina: Client, people: list[User]) -> None:
    upload = checked(uploaded(payments(people[0], 1), name="secret.csv"))
    bea, _ = importer("bea")
    looks = [bea.get(at("change", upload.pk)), bea.get(at("progress", upload.pk))]
    assert [answer.status_code for answer in (*looks, *acts(bea, upload))] == [404] * 10
    said = text_of(bea, at("changelist"))
    assert "Nothing uploaded yet" in said
    assert "secret.csv" not in said
    assert (again(upload).step, again(upload).state) == ("CHECK", "WAITS")


def test_another_who_may_see_transactions_looks_and_takes_no_step(ina: Client, people: list[User]) -> None:
    upload = checked(uploaded(payments(people[0], 1)))
    bea, _ = importer("bea", "view_transaction")
    said = text_of(bea, at("change", upload.pk))
    assert "What would be imported" in said
    assert f"{OWN_ALONE}, may go on with it" in said
    assert "Import 1 transaction" not in said
    assert "payments.csv" in text_of(bea, at("changelist"))
    assert bea.get(at("progress", upload.pk)).status_code == 200
    refusals = acts(bea, upload)
    assert [answer.status_code for answer in refusals] == [403] * 8
    assert f"{OWN_ALONE}, may do that." in plain(refusals[-1].content.decode())
    assert (again(upload).step, again(upload).state) == ("CHECK", "WAITS")


def test_another_is_shown_no_form_of_what_it_means(ina: Client, people: list[User]) -> None:
    upload = step(uploaded(payments(people[0], 1)))
    bea, _ = importer("bea", "view_transaction")
    page = bea.get(at("change", upload.pk)).content.decode()
    assert 'name="then"' not in page
    assert OWN_ALONE in page


def test_a_superuser_takes_every_step(ina: Client, people: list[User]) -> None:
    rows = [f"P{n},{people[0].pk},{amount},paid,2026-03-14" for n, amount in enumerate(("1.00", "much"))]
    upload = checked(uploaded(csv_of(rows)))
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    assert root.post(at("step", upload.pk, "import")).status_code == 302
    assert step(upload).state == "DONE"
    assert root.get(at("refused", upload.pk)).status_code == 200
    assert root.post(at("step", upload.pk, "remove")).status_code == 302
    assert not Upload.objects.exists()


def test_what_somebody_left_who_was_deleted_is_of_superusers_alone(people: list[User]) -> None:
    _, ina = importer()
    upload = checked(uploaded(payments(people[0], 1), ina))
    ina.delete()
    bea, _ = importer("bea", "view_transaction")
    assert bea.post(at("step", upload.pk, "import")).status_code == 403
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    assert root.post(at("step", upload.pk, "remove")).status_code == 302


def test_a_file_in_the_way_or_imported_before_is_named_to_who_sees_it(
    ina: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = payments(people[0], 1)
    before = imported(uploaded(content, name="secret.csv"))
    bea, user = importer("bea")
    upload = step(uploaded(content, user))
    page = bea.get(at("change", upload.pk)).content.decode()
    assert "The same file was imported before" in page
    assert at("change", before.pk) not in page
    assert "It has the columns of a file of somebody else, and is taken to mean the same." in page
    uploaded(content, name="waits.csv")
    monkeypatch.setattr(steps, "OPEN_MAX", 2)
    said = plain(send(bea, content).content.decode())
    assert "2 files are here and not imported" in said
    assert "payments.csv" in said
    assert "waits.csv" not in said
    assert "secret.csv" not in page
