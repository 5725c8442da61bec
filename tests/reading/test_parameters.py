"""What readers may ask: a bad value is refused by its name, and nothing asked is ever our error."""

from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.support.rows import row, store
from transactions.models import AMOUNT_MAX
from transactions.reading.averages import AverageParameters
from transactions.reading.listing import ListParameters

pytestmark = pytest.mark.django_db
LIST = "/api/transactions/"
AVERAGES = "/api/transactions/average/"
NAMES = sorted({*ListParameters().get_fields(), *AverageParameters().get_fields()})


BAD_FOR_AVERAGES = [
    ("from", "yesterday"),
    ("from", "2026-02-30"),
    ("from", "2026-1-5"),
    ("from", "20260105"),
    ("from", "2026-01-05T00:00:00Z"),
    ("from", "0000-01-01"),
    ("from", "10000-01-01"),
    ("from", "٢٠٢٦-٠١-٠٥"),
    ("to", "2026-13-01"),
    ("to", "2026-01-01\0"),
    ("to", "9" * 5000),
    ("timezone", "Mars/Olympus"),
    ("timezone", "europe/london"),
    ("timezone", "../../etc/passwd"),
    ("timezone", "America"),
    ("timezone", "localtime"),
    ("timezone", "UTC\0"),
    ("timezone", "Z" * 5000),
    ("status", "success"),
    ("status", "DONE"),
    ("status", "\0"),
    ("user", "alice"),
    ("user", "1.5"),
    ("user", "1.0"),
    ("user", "0"),
    ("user", "-1"),
    ("user", "999999"),
    ("user", "9" * 500),
    ("user", "1\0"),
]
BAD_FOR_THE_LIST = [
    *(("limit", bad) for bad in ("0", "1001", "-1", "ten", "1.5", "9" * 5000)),
    *(("user", bad) for bad in ("alice", "0", "-1", "999999", "1.5", "true", "9" * 500, "1\0", "١")),
    *(("status", bad) for bad in ("success", "DONE", "\0", "SUCCESS ")),
    *(("amount_min", bad) for bad in ("x", "-1", "1.5", "1e3", str(AMOUNT_MAX + 1), "9" * 400, "NaN", "\0")),
    *(("amount_max", bad) for bad in ("x", "-1", str(AMOUNT_MAX + 1), "1_000", " 7")),
    *(("from", bad) for bad in ("x", "2026-02-30", "2026-01-31T12:00:00", "0001-01-01T00:00:00+14:00", "\0")),
    *(("to", bad) for bad in ("9999-12-31T23:59:59-14:00", "20260131", "2026-01-31T25:00:00Z", "9" * 5000)),
    *(("timezone", bad) for bad in ("Mars/Olympus", "europe/london", "\0")),
    *(("limit", bad) for bad in ("1.0", "10.", "١٠", "+5")),
    *(("amount_min", bad) for bad in ("12.00", "1.000", "١٢", "-0")),
    *(("user", bad) for bad in ("1.0", "1e0")),
    *(("from", bad) for bad in ("٢٠٢٦-٠١-٣١", "2026-01-31T12:00:0٠Z", "２０２６-01-31")),
    *(("from", bad) for bad in ("2026-03-09T12Z", "2026-03-09T120000Z", "2026-03-09T12:00:00,5Z")),
    *(("to", bad) for bad in ("2026-03-09T12:00:00+0530", "2026-03-09T24:00:00Z", "2026-03-09T12:00:00+05")),
    *(("to", bad) for bad in ("2026-01-31 12:00", "2026-01-31T12:00:00+99:00", "2026-W05-6")),
    *(("transaction_id", bad) for bad in ("a\0b", "x" * 101)),
]
BAD = [
    *((LIST, name, value) for name, value in BAD_FOR_THE_LIST),
    *((AVERAGES, name, value) for name, value in BAD_FOR_AVERAGES),
]


@pytest.mark.parametrize(("url", "name", "value"), BAD)
def test_a_bad_value_is_refused_by_its_name(
    api: APIClient, db: None, url: str, name: str, value: str
) -> None:
    response = api.get(url, {name: value})
    assert response.status_code == 400
    assert list(response.json()) == [name]


@pytest.mark.parametrize("url", [LIST, AVERAGES])
@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("from=2026-01-02&to=2026-01-01", "to"),
        ("status=FAILED&status=PENDING&from=x", "status"),
    ],
)
def test_what_contradicts_itself_is_refused(
    api: APIClient, db: None, url: str, query: str, name: str
) -> None:
    response = api.get(f"{url}?{query}")
    assert (response.status_code, list(response.json())) == (400, [name])


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("from=2026-01-02T00:00:01Z&to=2026-01-02T00:00:00Z", "to"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01", "to"),
        ("amount_min=6&amount_max=5", "amount_max"),
    ],
)
def test_a_range_of_the_list_that_is_reversed_is_refused(
    api: APIClient, db: None, query: str, name: str
) -> None:
    response = api.get(f"{LIST}?{query}")
    assert (response.status_code, list(response.json())) == (400, [name])


CALLS = (
    ("GET", LIST),
    ("GET", AVERAGES),
    ("GET", "/api/transactions/some/"),
    ("GET", "/api/pipeline/"),
    ("GET", "/api/schema/"),
    ("GET", "/api/docs/"),
    ("POST", "/api/add-transaction/"),
    ("POST", "/api/add-transactions/"),
    ("DELETE", "/api/delete-transactions/"),
)


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_an_unknown_parameter_is_named_on_every_call(
    api: APIClient, db: None, method: str, path: str
) -> None:
    for query in ("colour=blue", "x=1&x=2", "Format=json", "csrfmiddlewaretoken=x"):
        for spelling in (path, path.rstrip("/")):
            answer = api.generic(method, f"{spelling}?{query}")
            name = query.partition("=")[0]
            assert (answer.status_code, list(answer.json())) == (400, [name]), spelling
            assert answer.json()[name][0].startswith("Unknown parameter.")
    answer = api.generic(method, "&".join([f"{path}?", *(f"p{n}{'x' * 100}=1" for n in range(500))]))
    assert answer.status_code == 400
    assert len(answer.content) < 5000
    answer = api.generic(method, "&".join([f"{path}?", *(f"p{n}=1" for n in range(1001))]))
    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "There are too many fields or parameters."},
    )
    answer = api.generic(method, f"{path}?x=%ff")
    assert (answer.status_code, answer.json()) == (400, {"detail": "The query string is not UTF-8."})


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize("query", ["dry_run", "dry_run=", "dry_run&dry_run", "Atomic", "currency=", "="])
def test_an_unknown_parameter_without_a_value_is_named_too(
    api: APIClient, db: None, method: str, path: str, query: str
) -> None:
    name = query.partition("&")[0].partition("=")[0]
    answer = api.generic(method, f"{path}?{query}")
    assert (answer.status_code, list(answer.json())) == (400, [name])
    assert answer.json()[name][0].startswith("Unknown parameter.")


@pytest.mark.parametrize(
    ("url", "name", "meant"),
    [
        (LIST, "Status", "status"),
        (LIST, "amountMin", "amount_min"),
        (LIST, "amount-max", "amount_max"),
        (LIST, "time_zone", "timezone"),
        (LIST, "form", "from"),
        (LIST, "userId", "user"),
        (AVERAGES, "tz", ""),
        (AVERAGES, "Timezone", "timezone"),
        (AVERAGES, "until", ""),
        ("/api/add-transactions/", "Atomic", "atomic"),
        ("/api/add-transactions/", "atomic[]", "atomic"),
    ],
)
def test_an_unknown_parameter_is_told_with_what_it_may_have_meant(
    api: APIClient, db: None, url: str, name: str, meant: str
) -> None:
    answer = api.post(f"{url}?{name}=1") if "add" in url else api.get(url, {name: "1"})
    (told,) = answer.json()[name]
    assert (f'Did you mean "{meant}"?' if meant else "Known are: from, to, timezone, status, user.") in told


@pytest.mark.parametrize("value", ["1", "True", "TRUE", "yes", "", "true "])
def test_all_or_none_is_said_in_two_words_alone(api: APIClient, db: None, value: str) -> None:
    answer = api.post(f"/api/add-transactions/?atomic={value}", [], format="json")
    assert (answer.status_code, answer.json()) == (400, {"atomic": ['Must be "true" or "false".']})
    answer = api.post("/api/add-transactions/?atomic=true&atomic=true", [], format="json")
    assert (answer.status_code, answer.json()) == (400, {"atomic": ["Give this once."]})


def test_the_dashboard_s_figures_know_their_parameters_too(root: Client) -> None:
    for name in ("figures", "averages", "names", "start", "story"):
        answer = root.get(f"/admin/dashboard/{name}/?colour=blue")
        assert (answer.status_code, list(answer.json())) == (400, ["colour"])


def test_what_is_left_empty_is_not_asked_for(api: APIClient) -> None:
    store(row(User.objects.create_user("payer")))
    for url, parameters, held in ((LIST, ListParameters, "results"), (AVERAGES, AverageParameters, "data")):
        query = "&".join(f"{name}=" for name in parameters().get_fields())
        assert len(api.get(f"{url}?{query}").json()[held]) == 1


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.dictionaries(st.sampled_from(NAMES), st.text() | st.integers().map(str), max_size=3))
def test_nothing_that_is_asked_for_is_our_error(api: APIClient, db: None, query: dict[str, str]) -> None:
    encoded = "&".join(f"{name}={quote(text.encode(errors='surrogatepass'))}" for name, text in query.items())
    for url, parameters in ((LIST, ListParameters), (AVERAGES, AverageParameters)):
        fit = parameters(data=QueryDict(encoded)).is_valid()
        assert api.get(f"{url}?{encoded}").status_code == (200 if fit else 400)


@pytest.mark.parametrize("parameters", [ListParameters, AverageParameters])
def test_text_that_is_no_text_is_refused(
    db: None, parameters: type[ListParameters] | type[AverageParameters]
) -> None:
    for name in parameters().get_fields():
        query = QueryDict(mutable=True)
        query[name] = "\ud800"
        asked = parameters(data=query)
        assert not asked.is_valid()
        assert list(asked.errors) == [name]


def test_a_method_that_there_is_not_is_refused_as_such_whatever_is_asked(api: APIClient) -> None:
    answer = api.generic("TRACE", f"{LIST}?Status=&cursor=none")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, OPTIONS")
