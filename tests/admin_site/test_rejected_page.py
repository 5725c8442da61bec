"""The page of one rejected record: what it says, why it was refused, and what to do about it."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.accepting import queued
from tests.support.admin_pages import GONE, HOSTILE, change, reject, url
from tests.support.markup import markup
from transactions.models import RejectedRecord

pytestmark = pytest.mark.django_db(transaction=True)


def facts(client: Client, row: RejectedRecord) -> dict[str, str]:
    """What stands on the page, by its words, without markup."""
    shown = markup(client.get(change(row)))
    found = re.findall(r'<label class="block[^>]*>([^<]*)</label>.*?class=" readonly[^>]*>(.*?)</div>', shown)
    assert found, shown[-6000:]
    return {name: re.sub(r"<[^>]*>", "", told).strip() for name, told in found}


def test_it_has_the_fields_of_the_transaction_why_it_was_refused_and_what_to_do(
    root: Client, people: list[User]
) -> None:
    row = reject(queued("R1", GONE, amount=4200, status="SUCCESS"), id="R1")
    row.reason = f"user {GONE} does not exist"
    row.save()
    told = facts(root, row)
    assert list(told)[:7] == [
        "Transaction",
        "Customer",
        "Amount",
        "Status",
        "Happened",
        "Reason",
        "What to do",
    ]
    assert list(told)[-1] == "Word for word"
    assert told["Transaction"] == "R1"
    assert told["Customer"] == f"{GONE} (does not exist)"
    assert told["Amount"] == "4,200 (smallest unit)"
    assert told["Happened"] == "2026-01-31 12:00:00 UTC"
    assert told["Status"] == "Succeeded, as posted"
    assert told["Reason"] == f"customer {GONE} does not exist"
    assert "add the missing one; then replay it" in told["What to do"]
    assert "<h1>R1</h1>" in markup(root.get(change(row)))
    assert "transaction_id=R1" in markup(root.get(change(row)))


def test_of_one_that_cannot_be_read_it_says_so(root: Client) -> None:
    row = reject(HOSTILE, id="")
    told = facts(root, row)
    assert "in no form that can be replayed" in told["What to do"]
    assert f"<h1>Unreadable record {row.pk}</h1>" in markup(root.get(change(row)))


def test_of_one_that_is_resolved_nothing_is_to_be_done(root: Client, people: list[User]) -> None:
    row = reject(queued("R1", people[0]), id="R1", resolution="DISCARDED")
    told = facts(root, row)
    assert told["What to do"].startswith("Nothing: somebody decided")
    assert told["Customer"].startswith("alice")


def test_the_list_leads_to_a_record_by_the_id_of_its_transaction(root: Client) -> None:
    row = reject(queued("R1", GONE), id="R1")
    assert f'href="{change(row)}?' in page_of(root) or f'href="{change(row)}"' in page_of(root)
    assert re.search(rf'<a[^>]*href="{change(row)}[^>]*>R1</a>', page_of(root))


def page_of(client: Client) -> str:
    return markup(client.get(url("rejectedrecord")))


def test_the_story_of_a_rejected_transaction_does_not_say_that_it_succeeded(root: Client) -> None:
    reject(queued("R1", GONE, status="SUCCESS"), id="R1")
    shown = markup(root.get("/admin/transactions/transaction/story/?transaction_id=R1"))
    assert 'pill-bad">Rejected</span>' in shown or 'pill-bad"data' in shown
    assert "posted as succeeded" in shown
    assert "pill-good" not in shown.partition('id="story-facts"')[2].partition("</dl>")[0]
