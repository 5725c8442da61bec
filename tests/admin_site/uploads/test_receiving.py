"""A file on its way in: who may send one, what is kept of it, and what is refused."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.rule_pages import plain, text_of
from tests.support.uploads import at, importer, payments, send, uploaded
from transactions.audit.actions import Action
from transactions.audit.models import Entry
from transactions.uploads import steps
from transactions.uploads.content import PORTION_BYTES, opened
from transactions.uploads.limits import UPLOAD_PATH
from transactions.uploads.models import Portion, Upload

pytestmark = pytest.mark.django_db(transaction=True)

ALREADY = "This form had been sent already: nothing was done again."


@pytest.fixture
def ina(people: list[User]) -> Client:
    return importer()[0]


def test_the_path_that_takes_large_bodies_is_that_of_the_page() -> None:
    assert at("new") == UPLOAD_PATH


def test_a_file_is_kept_as_it_was_sent_and_noted(ina: Client, people: list[User]) -> None:
    content = payments(people[0], 1, 2) * 50_000
    assert len(content) > 2 * PORTION_BYTES
    answer = send(ina, content, "März & <b>.csv")
    upload = Upload.objects.get()
    assert answer["Location"] == at("change", upload.pk)
    with opened(upload) as file:
        assert file.read() == content
    assert (upload.name, upload.size, upload.state, upload.step) == (
        "März & <b>.csv",
        len(content),
        "QUEUED",
        "READ",
    )
    entry = Entry.objects.get(action=Action.UPLOAD_RECEIVED, target_id=upload.pk)
    assert (entry.actor, entry.via, entry.target) == ("ina", "admin", "März & <b>.csv")
    assert upload.digest in entry.details


def test_who_may_not_import_sends_nothing(people: list[User]) -> None:
    client = Client()
    client.force_login(User.objects.create_user("sam", is_staff=True))
    assert send(client, payments(people[0], 1)).status_code == 403
    assert client.get(at("changelist")).status_code == 403
    assert not Upload.objects.exists()


def test_a_form_of_another_site_leaves_nothing(people: list[User]) -> None:
    _, user = importer()
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert send(client, payments(people[0], 1)).status_code == 403
    assert not Upload.objects.exists()
    assert not Portion.objects.exists()


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "The file is empty."), (b"x" * 2_000, "The file has more than 1,024 bytes.")]
)
def test_a_file_that_is_empty_or_too_large_is_told_in_the_page(
    ina: Client, settings: Any, content: bytes, said: str
) -> None:
    settings.UPLOAD_BYTES_MAX = 1_024
    answer = send(ina, content)
    assert answer.status_code == 200
    assert said in plain(answer.content.decode())
    assert not Portion.objects.exists()
    assert not Upload.objects.exists()


def test_a_form_without_a_file_says_so(ina: Client) -> None:
    answer = ina.post(UPLOAD_PATH, {"file": ""})
    assert "Choose a file." in plain(answer.content.decode())


def test_the_form_says_the_limits(ina: Client) -> None:
    said = text_of(ina, UPLOAD_PATH)
    assert "At most 50.0\xa0MB".replace("\xa0", " ") in said.replace("\xa0", " ")
    assert "until 7 days after" in said
    assert "At most 5 files of yours, and 20 in all" in said


def test_so_many_files_of_one_person_and_in_all(
    ina: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "OPEN_OF_PERSON_MAX", 1)
    monkeypatch.setattr(steps, "OPEN_MAX", 2)
    content = payments(people[0], 1)
    assert send(ina, content).status_code == 302
    said = plain(send(ina, content).content.decode())
    assert "1 files of yours are here and not imported: import or remove one first." in said
    uploaded(content, people[0])
    bea, _ = importer("bea")
    said = plain(send(bea, content).content.decode())
    assert "2 files are here and not imported" in said
    assert Upload.objects.count() == 2


def test_a_form_that_is_sent_twice_is_one_upload_and_another_file_another(
    people: list[User],
) -> None:
    client, _ = importer()
    page = client.get(UPLOAD_PATH)
    token = str(page.context["csrf_token"])
    content = payments(people[0], 1)
    first = send(client, content, csrfmiddlewaretoken=token)
    again = send(client, content, csrfmiddlewaretoken=token)
    assert again["Location"] == first["Location"]
    assert Upload.objects.count() == 1
    assert Portion.objects.count() == 1
    assert ALREADY in text_of(client, first["Location"])
    other = send(client, payments(people[0], 2), csrfmiddlewaretoken=token)
    assert other["Location"] != first["Location"]
