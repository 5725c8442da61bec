"""The project's documents as pages: each link leads somewhere, and what is written is text."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.support.admin_pages import staff
from tests.support.serving import ROOT
from transactions.system import documents

NAMES = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))


@pytest.fixture
def written(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """A directory of documents of a test's own."""
    documents.document.cache_clear()
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    yield tmp_path / "docs"
    documents.document.cache_clear()


def document(name: str) -> documents.ProjectDocument:
    found = documents.document(name)
    assert found, name
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_a_document_leads_to_a_section_that_there_is(name: str) -> None:
    links = re.findall('href="([^"]*)"', document(name).body)
    for there in (link for link in links if not link.startswith("http")):
        other, _, anchor = there.removeprefix("/admin/docs/").partition("#")
        led_to = document(other.rstrip("/") or name)
        assert not anchor or f'id="{anchor}"' in led_to.body, there


def test_a_section_has_the_anchor_that_it_has_where_the_source_is_read() -> None:
    assert documents.anchor("What `Redis`' user needs, in v1.2") == "what-redis-user-needs-in-v12"
    assert documents.link("operations", "Which part is ill") == "/admin/docs/operations/#which-part-is-ill"


def test_what_did_not_come_with_an_installation_is_linked_nowhere(written: Path) -> None:
    assert documents.link("operations") == ""
    assert documents.document("operations") is None


def test_markup_in_a_document_is_text_and_dead_links_are_words(written: Path) -> None:
    (written / "other.md").write_text("# Other\n")
    (written / "one.md").write_text(
        "# One <b>\n\n## A part\n\n<script>x</script> [there](other.md#x) [source](../manage.py)"
        " [bad](javascript:alert) ![picture](images/a.webp)\n\n```\n<i>\n```\n"
    )
    found = document("one")
    assert (found.title, [tuple(each) for each in found.sections]) == ("One <b>", [("a-part", "A part")])
    assert re.findall('href="([^"]*)"', found.body) == ["/admin/docs/other/#x"]
    for markup in ("<script>", "<i>", "<img"):
        assert markup not in found.body
    for word in ("source", "picture"):
        assert word in found.body


@pytest.mark.django_db(transaction=True)
def test_the_pages_are_for_the_staff(client: Client, people: list[User]) -> None:
    assert client.get("/admin/docs/operations/").status_code == 302
    staff(client)
    shown = client.get("/admin/docs/operations/")
    assert shown.status_code == 200
    assert '<h3 id="worker">Worker</h3>' in shown.content.decode()
    for none in ("nothing", "OPERATIONS", "a" * 200, "..%2Foperations"):
        assert client.get(f"/admin/docs/{none}/").status_code == 404
