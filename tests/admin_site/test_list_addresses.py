"""The address of the list of transactions: what is wrong with it, and what the form makes of it."""

import html
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.admin_site.test_transaction_list import total, words
from tests.support.accepting import record, take
from tests.support.admin_pages import listed, page, store, url
from transactions.models import SavedView

pytestmark = pytest.mark.django_db(transaction=True)

# What only who writes programs says, and parameters that no page names.
DEVELOPERS = re.compile(r"integer|string|valid choice|parameter|cursor|offset|ISO|SETTLED|`|\bq\b")


@pytest.mark.parametrize("currency", ["", "GBP"])
@pytest.mark.parametrize(
    "query",
    [
        "amount_min=1.5", "amount_max=x", f"amount_max={'9' * 30}", "amount_min=5&amount_max=4",
        "status=NONE",
        "state=gone", "order=sideways", "from=x", "from=2026-02-01&to=2026-01-01", "cursor=x", "before=x",
        f"cursor={'x' * 300}", "timezone=Mars", "foo=1", "status=FAILED&status=FAILED", f"q={'x' * 101}",
        "user=nobody", "view=x", "&".join(f"x{n}=1" for n in range(12)),
    ],
)  # fmt: skip
def test_a_wrong_address_is_explained_in_the_words_of_its_reader(
    root: Client, people: list[User], settings: Settings, query: str, currency: str
) -> None:
    settings.CURRENCY = currency
    answer = root.get(url("transaction", f"?{query}"))
    assert answer.status_code == 400
    told = [html.unescape(each) for each in re.findall(r'role="alert">(.+?)</p>', answer.content.decode())]
    assert told
    assert [each for each in told if DEVELOPERS.search(each)] == []
    # Where there is a currency nobody need know how amounts are kept.
    assert not currency or "smallest unit" not in " ".join(told)


def test_an_address_has_no_field_of_the_form_that_was_left_empty(root: Client, people: list[User]) -> None:
    store(people[0], "A")
    sent = {
        "q": "",
        "user": "alice",
        "status": "",
        "state": "stored",
        "from": "",
        "to": "",
        "timezone": "UTC",
    }
    answer = root.get(url("transaction"), sent)
    assert answer.status_code == 302
    assert answer.headers["Location"] == url("transaction", "?user=alice&timezone=UTC")
    assert listed(root, "?user=alice&timezone=UTC") == ["A"]
    # Beside a view an empty field takes away what the view says.
    view = SavedView.objects.create(owner=people[0], name="V", query="user=alice&state=waiting", shared=True)
    assert listed(root, f"?view={view.key}&state=stored&user=") == ["A"]


def test_those_that_settled_are_listed_counted_and_exported_together(
    root: Client, people: list[User]
) -> None:
    for id, status in (("WELL", "SUCCESS"), ("NOT", "FAILED"), ("YET", "PENDING")):
        store(people[0], id, status=status, amount=100)
    assert listed(root, "?status=SETTLED") == ["NOT", "WELL"]
    assert total(root, "?status=SETTLED") == "2 transactions · succeeded 100 · failed 100"
    assert words(root, "?status=SETTLED") == ["status: succeeded or failed"]
    (link,) = re.findall(r'href="([^"]+export[^"]+)"', page(root, url("transaction", "?status=SETTLED")))
    exported = b"".join(root.get(html.unescape(link))).decode()
    assert [id in exported for id in ("WELL", "NOT", "YET")] == [True, True, False]
    take(record("WAITS", people[0], status="SUCCESS"), record("PENDS", people[0]))
    assert listed(root, "?status=SETTLED&state=waiting") == ["WAITS"]
