"""What was typed into the list of transactions stands in its form again, right or wrong."""

import html
import re
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client

from tests.support.admin_pages import store, url
from tests.support.markup import markup
from tests.support.outages import redis_away
from transactions.admin_site.bound_fields import in_parameters
from transactions.models import SavedView
from transactions.reading.narrow_parameters import NarrowParameters

pytestmark = pytest.mark.django_db(transaction=True)


class Shown(NamedTuple):
    status: int
    page: str

    def attributes(self, name: str) -> dict[str, str]:
        tag = re.search(
            rf'<input(?=[^>]* name="{name}")([^>]*)>', self.page.partition('aria-label="Narrow')[2]
        )
        assert tag, name
        return {key: html.unescape(value) for key, value in re.findall(r'([a-z-]+)="([^"]*)"', tag[1])}

    def value(self, name: str) -> str:
        return self.attributes(name)["value"]

    def sent(self) -> str:
        """The query of the form as it stands."""
        form = self.page.partition('aria-label="Narrow')[2].partition("</form>")[0]
        names = re.findall(r'name="((?:from|to)(?:_shown|_meant)?|timezone)"', form)
        return "&".join(f"{name}={quote(self.value(name))}" for name in names)


def asked(client: Client, query: str) -> Shown:
    answer = client.get(url("transaction", f"?{query}"))
    return Shown(answer.status_code, markup(answer))


def bounds(query: str) -> tuple[object, ...]:
    parameters = NarrowParameters(data=in_parameters(QueryDict(query)))
    assert parameters.is_valid(), parameters.errors
    wanted = parameters.narrowed().wanted
    return wanted.since, wanted.until, wanted.gaps


@pytest.mark.parametrize(
    ("since", "shown"),
    [
        ("2026-03-14T11:00", "2026-03-14T11:00"),
        ("2026-03-14T11:00:59", "2026-03-14T11:00"),
        ("2026-03-14T10:00:59.123456Z", "2026-03-14T11:00"),
        # The hour that comes twice.
        ("2026-10-25T00:30:00Z", "2026-10-25T02:30"),
        ("2026-10-25T01:30:00Z", "2026-10-25T02:30"),
        ("2026-03-14", "2026-03-14T00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:53"),
    ],
)
def test_a_bound_is_shown_to_the_minute_and_sent_again_it_is_the_same_moment(
    root: Client, since: str, shown: str
) -> None:
    query = f"from={since}&to=2026-12-01T00:00:01&timezone=Europe/Berlin"
    form = asked(root, query)
    assert form.status == 200
    assert (form.value("from"), form.attributes("from")["type"]) == (shown, "datetime-local")
    assert (form.value("to"), form.attributes("to")["step"]) == ("2026-12-01T00:00", "60")
    assert bounds(form.sent()) == bounds(query)


def test_a_bound_that_somebody_has_changed_is_what_they_typed_and_the_url_has_it_alone(root: Client) -> None:
    form = asked(root, "from=2026-03-14T11:00:59&to=2026-03-14T12:30:15&timezone=UTC")
    changed = form.sent().replace("from=2026-03-14T11%3A00&", "from=2026-03-14T10%3A30&")
    answer = root.get(url("transaction", f"?{changed}"))
    assert answer.status_code == 302
    assert QueryDict(answer["Location"].partition("?")[2]).dict() == {
        "from": "2026-03-14T10:30",
        "to": "2026-03-14T12:30:15",
        "timezone": "UTC",
    }


def test_both_bounds_of_days_stand_in_the_form(root: Client) -> None:
    """As the link of the chart of days has them: the last day is in the list."""
    form = asked(root, "from=2026-03-14&to=2026-03-15&timezone=Asia/Tehran")
    assert (form.value("from"), form.value("to")) == ("2026-03-14T00:00", "2026-03-16T00:00")


def test_days_of_which_the_zone_skipped_one_are_sent_again_as_days(root: Client) -> None:
    query = "from=2011-12-29&to=2011-12-31&timezone=Pacific/Apia"
    form = asked(root, query)
    assert bounds(form.sent()) == bounds(query)


def test_a_bound_in_the_hour_that_comes_twice_is_told_with_its_offset(root: Client) -> None:
    page = asked(root, "from=2026-10-25T01:30:00Z&timezone=Europe/Berlin").page
    assert "since 2026-10-25 02:30 (+01:00)" in page
    page = asked(root, "from=2026-10-25T00:30:00Z&timezone=Europe/Berlin").page
    assert "since 2026-10-25 02:30 (+02:00)" in page


def test_a_bound_is_told_to_the_second_and_stays_as_exact_as_it_is(root: Client) -> None:
    form = asked(root, "to=2026-11-27T07:30:00.988255Z&timezone=UTC")
    assert "before 2026-11-27 07:30:00<" in re.sub(r"\s+<", "<", form.page)
    assert form.value("to_meant") == "2026-11-27T07:30:00.988255Z"


# --- Another zone ---------------------------------------------------------------------------------


@pytest.mark.parametrize("saved", [False, True])
def test_in_another_zone_a_list_of_local_times_is_of_the_same_moments(
    root: Client, people: list[User], saved: bool
) -> None:
    store(people[0], "T1", created_at=datetime(2026, 11, 27, 8, tzinfo=UTC))
    store(people[0], "T2", created_at=datetime(2026, 11, 27, 7, tzinfo=UTC))
    query = "from=2026-11-27T07:38&to=2026-11-27&status=SUCCESS&timezone=Europe/London"
    if saved:
        root_user = User.objects.get(is_superuser=True)
        query = f"view={SavedView.objects.create(owner=root_user, name='since738', query=query).key}"
    zone = re.search(r'data-same-moments="([^"]*)"', asked(root, query).page)
    assert zone
    same = QueryDict(html.unescape(zone[1]), mutable=True)
    same["timezone"] = "America/New_York"
    # Under no saved name, which stands for what was saved. A day stays a day.
    assert same.dict() == {
        "from": "2026-11-27T07:38:00+00:00",
        "to": "2026-11-27",
        "status": "SUCCESS",
        "timezone": "America/New_York",
    }
    shown = asked(root, same.urlencode()).page
    assert "since 2026-11-27 02:38" in shown
    assert shown.count(">T1<") == 1
    assert ">T2<" not in shown


@pytest.mark.parametrize(
    "query",
    [
        "",
        "from=2026-11-27",
        "from=2026-11-27T07:38:00Z",
        "from=nonsense",
        "from=0001-01-01T00:00&timezone=Asia/Tokyo",
    ],
)
def test_without_local_times_a_list_needs_no_other_query_in_another_zone(root: Client, query: str) -> None:
    assert "data-same-moments" not in asked(root, query).page


WRONG = {
    "q": "ab",
    "user": "nobody at all",
    "status": "GONE",
    "state": "lost",
    "amount_min": "1,00",
    "amount_max": "-1",
    "from": "yesterday",
    "to": "2026-02-30T00:00",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_beside_its_field_and_nothing_typed_is_lost(
    root: Client, people: list[User], wrong: str
) -> None:
    right = {
        "q": "INV-1", "user": "alice", "amount_min": "5", "amount_max": "900", "from": "2026-03-14T11:00:30",
        "to": "2026-03-15", "timezone": "Asia/Tehran", "order": "largest",
    }  # fmt: skip
    typed = {**right, wrong: WRONG[wrong]}
    form = asked(root, "&".join(f"{name}={quote(value)}" for name, value in typed.items()))
    assert form.status == 400
    for name, value in typed.items():
        if name in ("status", "state"):
            assert f'<option value="{value}" selected>' in form.page
        elif name in ("from", "to") and name != wrong:
            meant = {"from": "2026-03-14T11:00", "to": "2026-03-16T00:00"}
            assert (form.value(name), form.value(f"{name}_meant")) == (meant[name], value)
        else:
            assert form.value(name) == value
    told = re.search(rf'id="wrong-{wrong}"[^>]*>(.*?)</p>', form.page)
    assert told
    assert len(told[1]) > 20
    assert f'aria-invalid="true" aria-describedby="wrong-{wrong}"' in form.page
    assert form.page.count('aria-describedby="wrong-') == 1


def test_a_wrong_zone_is_told_and_the_other_fields_stay(root: Client) -> None:
    form = asked(root, "timezone=Mars&from=2026-03-14T11:00:30&amount_min=5")
    assert form.status == 400
    assert "<strong>Time zone</strong>" in form.page
    assert (form.value("from_meant"), form.value("amount_min")) == ("2026-03-14T11:00:30", "5")
    assert form.value("timezone") == "UTC"


def test_a_view_keeps_its_zone_where_something_else_is_wrong(root: Client, people: list[User]) -> None:
    view = SavedView.objects.create(
        owner=User.objects.get(username="root"), name="V", query="from=2026-03-14T11:00&timezone=Asia/Tehran"
    )
    form = asked(root, f"view={view.key}&amount_min=x")
    assert (form.value("from"), form.value("timezone")) == ("2026-03-14T11:00", "Asia/Tehran")


def test_the_bounds_stay_in_the_form_while_redis_is_away(root: Client, people: list[User]) -> None:
    with redis_away():
        form = asked(root, "state=waiting&from=2026-03-14T11:00:30")
    assert form.status == 503
    assert form.value("from_meant") == "2026-03-14T11:00:30"


def test_the_page_of_a_view_is_in_its_zone_and_says_so(root: Client, people: list[User]) -> None:
    root.cookies["timezone"] = "Asia/Tokyo"
    view = SavedView.objects.create(
        owner=User.objects.get(username="root"), name="V", query="from=2026-03-14T11:00&timezone=Asia/Tehran"
    )
    store(people[0], created_at=datetime(2026, 3, 14, 12, tzinfo=UTC))
    page = asked(root, f"view={view.key}").page
    assert 'data-zone="Asia/Tehran" data-linked' in page
    assert "2026-03-14 15:30:00" in page
    assert 'data-zone="Asia/Tokyo">' in asked(root, "").page


def test_the_count_of_what_is_set_stands_on_the_fold(root: Client, people: list[User]) -> None:
    def fold(query: str) -> str:
        found = re.search(r'<details class="fold"[^>]*>.*?</details>', asked(root, query).page, re.DOTALL)
        assert found
        return found[0]

    assert '<summary class="button">Filter</summary>' in fold("order=largest")
    assert ">2</span>" in fold("status=FAILED&amount_min=5")
    assert " open" not in fold("status=FAILED")
    assert '<details class="fold" open>' in fold("status=GONE")


def test_what_contradicts_itself_is_told_in_the_words_of_the_form(root: Client) -> None:
    told = asked(root, "from=2026-03-14&to=2026-03-13").page
    assert "This is before Since." in told
    assert "This is less than the least." in asked(root, "amount_min=5&amount_max=4").page
