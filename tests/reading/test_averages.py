"""Daily averages: equal to what a few lines of Python make of the rows, in any zone."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.support.rows import NOON, row, store
from transactions.models import AMOUNT_MAX, Status, Transaction
from transactions.reading import averages
from transactions.reading.averages import Question, daily_averages, days_by_status

pytestmark = pytest.mark.django_db
URL = "/api/transactions/average/"

# Zones by what they did: moments of UTC around which their days are odd.
ODD = {
    "UTC": ["1970-01-01T00:00:00"],
    "America/St_Johns": ["1884-01-01T03:30:52", "2009-11-01T02:31:00", "2010-03-14T03:31:00"],
    "Africa/Monrovia": ["1919-03-01T00:43:08", "1971-06-01T00:44:30", "1972-01-07T00:44:30"],
    "Asia/Kathmandu": ["1919-12-31T18:18:44", "1985-12-31T18:30:00"],
    "Pacific/Apia": ["1892-07-04T11:26:56", "2011-12-30T10:00:00"],
    "America/New_York": ["1883-11-18T17:00:00", "2024-03-10T07:00:00", "2024-11-03T06:00:00"],
    "Europe/London": ["1847-12-01T00:01:15", "2024-03-31T01:00:00", "2024-10-27T01:00:00"],
    "Australia/Lord_Howe": ["2024-04-06T15:00:00", "2024-10-05T15:30:00"],
    "America/Juneau": ["1867-10-18T08:57:41"],
    "Etc/GMT-14": ["0001-01-02T00:00:00", "9999-12-30T12:00:00"],
    "Etc/GMT+12": ["0001-01-02T00:00:00", "9999-12-30T12:00:00"],
}


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The day of a moment; at the ends of the calendar its first or last."""
    try:
        return moment.astimezone(zone).date()
    except OverflowError:
        return date.min if moment.year == 1 else date.max


def naive(rows: Sequence[Transaction], question: Question) -> dict[str, tuple[int, int]]:
    """Count and total of each day, from the rows themselves."""
    days: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for each in rows:
        day = local_day(each.created_at, ZoneInfo(question.timezone))
        if (
            (question.first or day) <= day <= (question.last or day)
            and question.status in (None, each.status)
            and question.user in (None, each.user_id)
        ):
            count, total = days[day.isoformat()]
            days[day.isoformat()] = (count + 1, total + each.amount)
    return dict(sorted(days.items()))


def answered(question: Question) -> dict[str, tuple[int, int]]:
    return {day["day"]: (day["count"], day["total"]) for day in daily_averages(question)["data"]}


@st.composite
def worlds(draw: st.DrawFn) -> tuple[str, list[tuple[datetime, int, int, int]], dict[str, Any]]:
    """A zone, rows (moment, amount, number of the status, of the user) near its odd days, a question."""
    name = draw(st.sampled_from(sorted(ODD)))
    anchors = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in ODD[name]]
    near = st.one_of(
        st.integers(-2, 2).map(lambda n: timedelta(microseconds=n)),
        st.integers(-4000, 4000).map(lambda n: timedelta(seconds=n)),
        st.integers(-24 * 60, 24 * 60).map(lambda n: timedelta(minutes=n)),
        st.sampled_from([timedelta(minutes=n) for n in (-31, -30, -15, -1, 14, 15, 59, 60)]),
    )
    moments = st.builds(lambda anchor, by: anchor + by, st.sampled_from(anchors), near)
    amounts = st.one_of(st.integers(0, 1000), st.integers(0, AMOUNT_MAX))
    rows = draw(st.lists(st.tuples(moments, amounts, st.integers(0, 2), st.integers(0, 1)), max_size=30))
    zone = ZoneInfo(name)
    bounds = st.none() | moments.map(lambda moment: local_day(moment, zone))
    question = {
        "first": draw(bounds),
        "last": draw(bounds),
        "status": draw(st.none() | st.sampled_from(Status.values)),
    }
    return name, rows, question


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=worlds(), of_a_user=st.booleans())
def test_it_answers_what_the_rows_say_in_odd_zones(
    django_user_model: type[User],
    world: tuple[str, list[tuple[datetime, int, int, int]], dict[str, Any]],
    of_a_user: bool,
) -> None:
    zone, facts, asked = world
    with transaction.atomic():
        users = [django_user_model.objects.create(username=str(n)) for n in range(2)]
        rows = store(
            *(row(users[user], moment, amount, Status.values[n]) for moment, amount, n, user in facts)
        )
        question = Question(timezone=zone, user=users[0].pk if of_a_user else None, **asked)
        assert answered(question) == naive(rows, question)
        transaction.set_rollback(True)


@pytest.mark.parametrize("name", ["Africa/Monrovia", "America/New_York"])
def test_it_answers_what_the_rows_of_a_year_say(payer: User, name: str) -> None:
    start = datetime(1971, 5, 1, tzinfo=UTC)
    rows = store(*(row(payer, start + timedelta(minutes=151 * n), n) for n in range(3480)))
    for question in (Question(timezone=name), Question(timezone=name, user=payer.pk)):
        assert answered(question) == naive(rows, question)


@pytest.fixture
def payer(db: None) -> User:
    return User.objects.create_user("payer")


def test_it_gives_days_in_order_with_average_count_and_total(api: APIClient, payer: User) -> None:
    store(
        row(payer, NOON, 10),
        row(payer, NOON - timedelta(days=3), 5, "FAILED"),
        row(payer, NOON, 11),
        row(payer, NOON, 13, "PENDING"),
    )
    assert api.get(URL).json() == {
        "from": "2026-01-28",
        "to": "2026-01-31",
        "timezone": "UTC",
        "data": [
            {"day": "2026-01-28", "average": 5, "count": 1, "total": 5},
            {"day": "2026-01-31", "average": 11, "count": 3, "total": 34},
        ],
    }


def test_it_includes_both_days_and_nothing_beside_them(api: APIClient, payer: User) -> None:
    store(*(row(payer, datetime(2026, 1, day, 23, 59, 59, 999_999, tzinfo=UTC)) for day in range(1, 11)))
    body = api.get(URL, {"from": "2026-01-03", "to": "2026-01-05"}).json()
    assert (body["from"], body["to"]) == ("2026-01-03", "2026-01-05")
    assert [day["day"] for day in body["data"]] == ["2026-01-03", "2026-01-04", "2026-01-05"]
    one = api.get(URL, {"from": "2026-01-03", "to": "2026-01-03"}).json()
    assert [day["day"] for day in one["data"]] == ["2026-01-03"]


def test_it_takes_one_bound_and_finds_the_other(api: APIClient, payer: User) -> None:
    store(*(row(payer, NOON + timedelta(days=n)) for n in (0, 4)))
    body = api.get(URL, {"from": "2026-01-01"}).json()
    assert (body["from"], body["to"]) == ("2026-01-01", "2026-02-04")
    body = api.get(URL, {"to": "2026-02-01"}).json()
    assert (body["from"], body["to"]) == ("2026-01-31", "2026-02-01")


def test_it_gives_an_empty_list_where_there_is_nothing(api: APIClient, payer: User) -> None:
    assert api.get(URL).json() == {"from": None, "to": None, "timezone": "UTC", "data": []}
    store(row(payer))
    body = api.get(URL, {"from": "2027-01-01", "to": "2027-12-31"}).json()
    assert body == {"from": "2027-01-01", "to": "2027-12-31", "timezone": "UTC", "data": []}
    assert api.get(URL, {"from": "2027-01-01"}).json()["data"] == []
    assert api.get(f"{URL}?status=FAILED&user={payer.pk}").json()["data"] == []


def test_it_filters_by_status_and_user(api: APIClient, people: list[User]) -> None:
    store(*(row(people[n % 2], NOON, n, Status.values[n % 3]) for n in range(12)))
    totals = [
        [day["total"] for day in api.get(f"{URL}?status={status}&user={user}").json()["data"]]
        for status in ("", "FAILED")
        for user in ("", people[0].pk, people[2].pk)
    ]
    assert totals == [[66], [30], [], [26], [10], []]


def test_it_speaks_of_days_of_the_zone_asked_for(api: APIClient, payer: User) -> None:
    store(
        row(payer, datetime(2026, 1, 31, 20, 29, tzinfo=UTC)),
        row(payer, datetime(2026, 1, 31, 20, 30, tzinfo=UTC)),
    )
    body = api.get(URL, {"timezone": "Asia/Tehran"}).json()
    assert body["timezone"] == "Asia/Tehran"
    assert [day["day"] for day in body["data"]] == ["2026-01-31", "2026-02-01"]


@pytest.mark.parametrize(
    ("zone", "hour", "day"), [("Etc/GMT+12", 11, "2026-01-30"), ("Etc/GMT-14", 10, "2026-02-01")]
)
def test_it_finds_what_is_another_day_in_utc(
    api: APIClient, payer: User, zone: str, hour: int, day: str
) -> None:
    store(row(payer, NOON.replace(hour=hour)))
    for query in ("", f"&user={payer.pk}"):
        body = api.get(f"{URL}?from={day}&to={day}&timezone={zone}{query}").json()
        assert [held["day"] for held in body["data"]] == [day]


def test_sums_and_whole_averages_are_exact_however_large(api: APIClient, payer: User) -> None:
    store(row(payer, amount=AMOUNT_MAX), row(payer, amount=AMOUNT_MAX))
    for query in ("", f"?user={payer.pk}", "?timezone=Africa/Monrovia"):
        (day,) = api.get(URL + query).json()["data"]
        assert (day["average"], day["count"], day["total"]) == (AMOUNT_MAX, 2, 2 * AMOUNT_MAX)


@pytest.mark.parametrize(
    ("amounts", "average"),
    [
        ((0, 1), 0), ((1, 2), 2), ((2, 3), 2), ((1, 0, 1), 1), ((1, 0, 0), 0),
        # No float holds these: it would tell 2^63 of both.
        ((AMOUNT_MAX, AMOUNT_MAX - 1), AMOUNT_MAX - 1),
        ((AMOUNT_MAX, AMOUNT_MAX, AMOUNT_MAX - 1), AMOUNT_MAX),
    ],
)  # fmt: skip
def test_averages_are_rounded_half_even_to_the_smallest_unit(
    api: APIClient, payer: User, amounts: tuple[int, ...], average: int
) -> None:
    store(*(row(payer, amount=amount) for amount in amounts))
    for query in ("", f"?user={payer.pk}", "?timezone=Africa/Monrovia"):
        answer = api.get(URL + query)
        assert [day["average"] for day in answer.json()["data"]] == [average]
        assert f'"average":{average},' in answer.content.decode()


def test_what_failed_moves_nothing_of_what_succeeded(api: APIClient, payer: User) -> None:
    store(row(payer, amount=10), row(payer, amount=21), row(payer, amount=AMOUNT_MAX, status="FAILED"))
    (day,) = api.get(URL, {"status": "SUCCESS"}).json()["data"]
    assert (day["average"], day["count"], day["total"]) == (16, 2, 31)


def test_it_answers_for_all_the_years_of_the_calendar(api: APIClient, payer: User) -> None:
    store(*(row(payer, moment.replace(tzinfo=UTC)) for moment in (datetime.min, NOON, datetime.max)))
    for zone in ("UTC", "Pacific/Kiritimati", "Etc/GMT+12"):
        body = api.get(URL, {"timezone": zone}).json()
        assert sum(day["count"] for day in body["data"]) == 3
        assert api.get(URL, {"from": "0001-01-01", "timezone": zone}).json()["data"] == body["data"]
        for day in ("0001-01-01", "9999-12-31"):
            assert len(api.get(URL, {"from": day, "to": day, "timezone": zone}).json()["data"]) == 1


@pytest.mark.parametrize("query", ["from=2010-01-01&to=2020-01-09", "from=0001-01-01&to=9999-12-31"])
def test_one_answer_has_at_most_ten_years(api: APIClient, db: None, query: str) -> None:
    answer = api.get(f"{URL}?{query}")
    told = "One answer has at most 3,660 days: ask for fewer by `from` and `to`."
    assert (answer.status_code, answer.json()) == (400, {"to": [told]})
    assert api.get(f"{URL}?from=2010-01-01&to=2020-01-08").status_code == 200


@pytest.mark.parametrize("of_a_user", [False, True])
def test_records_spread_over_centuries_are_told_so_and_not_worked_out(
    api: APIClient, payer: User, of_a_user: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    store(*(row(payer, start + timedelta(days=16 * n)) for n in range(1_000)))
    query = f"?user={payer.pk}" if of_a_user else "?"
    with monkeypatch.context() as never:
        never.setattr(averages, "_worked_out", lambda *_: pytest.fail("worked out"))
        for bounds in ("", "&from=1971-01-01", "&to=2009-12-31"):
            answer = api.get(f"{URL}{query}{bounds}")
            assert (answer.status_code, list(answer.json())) == (400, ["from"]), bounds
    assert len(api.get(f"{URL}{query}&from=1971-01-01&to=1980-12-31").json()["data"]) == 229


def test_one_long_question_is_worked_out_at_a_time(
    api: APIClient, payer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a range of up to a year nobody asks whether it is: it is never too much."""
    store(*(row(payer, datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=10 * n)) for n in range(50)))
    monkeypatch.setattr(averages, "PATIENCE_S", 0.05)
    with averages._one_at_a_time:
        answer = api.get(URL)
        assert (answer.status_code, answer["Retry-After"]) == (503, "2")
        assert "another long range" in answer.json()["detail"]
        assert api.get(f"{URL}?from=2026-01-01&to=2026-12-31").status_code == 200, "a short one goes on"
    assert api.get(URL).status_code == 200


def test_years_in_which_nothing_happened_are_not_worked_out(payer: User) -> None:
    store(*(row(payer, moment.replace(tzinfo=UTC)) for moment in (datetime.min, NOON)))
    for user in (None, payer.pk):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(answered(Question(timezone="Europe/London", user=user))) == 2
        assert len(queries) == 2
        assert len(queries[-1]["sql"]) < 5000


def plan_of_sums(ask: Callable[[], Any]) -> str:
    """How PostgreSQL adds up, if an index alone is to serve it, by the last statement that `ask` selects."""
    with CaptureQueriesContext(connection) as asked:
        ask()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
        cursor.execute("EXPLAIN " + asked[-1]["sql"].replace("%", "%%"), [])
        return "\n".join(line for (line,) in cursor.fetchall())


def test_averages_of_a_user_are_read_from_the_index_alone(api: APIClient, payer: User) -> None:
    store(*(row(payer, NOON + timedelta(hours=n), n) for n in range(50)))
    with connection.cursor() as cursor:
        # As VACUUM leaves the table: what other tests have left there says nothing of this question.
        cursor.execute(
            "SELECT pg_restore_relation_stats("
            "'schemaname', 'public', 'relname', %s, 'relallvisible', 1000000)",
            [Transaction._meta.db_table],
        )
    url = f"{URL}?user={payer.pk}"
    assert "Index Only Scan using transaction_by_user_amount" in plan_of_sums(lambda: api.get(url))
    # The index has no status: who asks for one pays for its rows.
    of_one = plan_of_sums(lambda: api.get(f"{url}&status=FAILED"))
    assert "Index Only Scan" not in of_one


def test_days_by_status_add_up_to_those_of_all_statuses(people: list[User]) -> None:
    store(*(row(people[n % 2], NOON + timedelta(hours=9 * n), n, Status.values[n % 3]) for n in range(12)))
    for question in (Question(), Question(timezone="Africa/Monrovia"), Question(user=people[0].pk)):
        apart = days_by_status(question)
        assert {name for day in apart.values() for name in day} == set(Status.values)
        assert answered(question) == {
            day.isoformat(): (sum(h.count for h in each.values()), sum(h.total for h in each.values()))
            for day, each in apart.items()
        }


def test_averages_stay_when_old_rows_are_pruned(payer: User) -> None:
    store(*(row(payer, NOON - timedelta(days=n), 10) for n in range(3)))
    before = answered(Question())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL transactions.keep_rollups = 'on'")
        Transaction.objects.filter(created_at__lt=NOON).delete()
        assert answered(Question()) == before


def test_it_is_there_without_the_slash_too(api: APIClient, db: None) -> None:
    assert api.get(URL.rstrip("/")).json()["data"] == []
