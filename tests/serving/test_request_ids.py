"""X-Request-Id: on every answer, in every line of the log, as far as the flush; and what no line tells."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User

from tests.support.accepting import push, queued
from tests.support.serving import daphne
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.models import ApiToken
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection, text
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

# Without an access log, as we run it: Daphne's own would show what stands in a URL.
QUIET = ("-v", "0")
OURS = re.compile("[0-9a-f]{16}")
ADD = "/api/add-transaction/"
# Whatever we say of it: an amount like no other number.
AMOUNT = 867_530_931_337


def lines_of(log: Path) -> list[dict[str, Any]]:
    """The lines of a server's log; all of them are JSON."""
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("lane", ["true", "false"])
def test_every_answer_bears_a_request_id(people: list[User], lane: str) -> None:
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    paths = [ADD, "/api/nothing/", "/nothing", "/livez", "/readyz", "/admin/login/", "/", "/static/none.css"]
    with daphne(FAST_LANE=lane) as url, httpx.Client(base_url=url, trust_env=False) as client:
        for path in paths:
            for answer in (client.get(path), client.post(path, json=record), client.put(path, json=record)):
                assert OURS.fullmatch(answer.headers["X-Request-Id"]), (path, answer)
        refused = client.get("/api/pipeline/", headers={"Host": "evil.example"})
        assert (refused.status_code, bool(refused.headers["X-Request-Id"])) == (400, True)
        for name in ("mine", "a.b-c_1", "x" * 64):
            answer = client.post(ADD, json=record, headers={"X-Request-Id": name})
            assert answer.headers.get_list("X-Request-Id") == [name]
        for unfit in ("", "x" * 65, "a b", "a\tb", "<script>", b"\xe9"):
            answer = client.post(ADD, json=record, headers={b"X-Request-Id": unfit})  # type: ignore[arg-type]
            assert OURS.fullmatch(answer.headers["X-Request-Id"]), unfit
        twice = client.post(ADD, json=record, headers=[("X-Request-Id", "one"), ("X-Request-Id", "two")])
        assert OURS.fullmatch(twice.headers["X-Request-Id"])


@pytest.mark.slow
@pytest.mark.parametrize("lane", ["true", "false"])
def test_the_record_and_the_log_bear_the_answers_request_id(
    people: list[User], tmp_path: Path, lane: str
) -> None:
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    log = tmp_path / "daphne.log"
    with (
        daphne(log=log, options=QUIET, FAST_LANE=lane) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        accepted = client.post(ADD, json=record).headers["X-Request-Id"]
        missing = client.get("/api/nothing/").headers["X-Request-Id"]
    (line,) = connection().lrange(QUEUE, 0, -1)
    assert text(line).split("\t")[-1] == accepted
    assert missing in [line.get("request_id") for line in lines_of(log)]


def test_the_flush_names_the_requests_at_debug_alone(
    people: list[User], caplog: pytest.LogCaptureFixture
) -> None:
    push(*(queued(f"T{number}", people[0]) for number in range(5)))
    with caplog.at_level(logging.INFO):
        flush()
    assert not caplog.records
    push(*(queued(f"U{number}", people[0]).replace("test", f"request-{number // 2}") for number in range(4)))
    with caplog.at_level(logging.DEBUG):
        flush()
    (line,) = [record.getMessage() for record in caplog.records if "of the requests" in record.getMessage()]
    assert line.endswith("request-0 request-1")


def test_the_flush_names_the_request_of_what_it_rejects(
    people: list[User], caplog: pytest.LogCaptureFixture
) -> None:
    push(queued("T1", people[0]), queued("T2", 999_999, AMOUNT).replace("test", "request-7"), "not a record")
    flush()
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 1
    assert said[0].endswith("2 records cannot be stored; of the requests request-7")


@pytest.mark.slow
def test_no_token_amount_or_record_is_told_to_any_log(
    people: list[User], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token, row = create("till 1", rights=frozenset({Right.POST, Right.READ}))
    log = tmp_path / "daphne.log"
    record = {"transaction_id": "SECRET-ID", "user": people[0].pk, "amount": AMOUNT}
    bearer = {"Authorization": f"Bearer {token}"}
    with (
        daphne(log=log, options=QUIET, LOG_LEVEL="DEBUG") as url,
        httpx.Client(base_url=url, headers=bearer, trust_env=False) as client,
    ):
        statuses = [client.post(ADD, json=record).status_code for _ in range(3)]
        odd: list[Any] = [
            {**record, "amount": AMOUNT + 1},
            {**record, "status": token},
            {**record, "user": 0},
        ]
        for body in (*odd, []):
            statuses.append(client.post(ADD, json=body).status_code)
        statuses.append(client.post(ADD, content=json.dumps(record)[:-1]).status_code)
        statuses.append(client.post("/api/add-transactions/?atomic=true", json=[record, record]).status_code)
        statuses.append(client.get(f"/api/pipeline/?token={token}&amount={AMOUNT}").status_code)
        statuses.append(client.get(f"/api/nothing/?token={token}").status_code)
        ApiToken.objects.update(digest="")
        answer = client.get("/api/pipeline/", headers={"Authorization": f"Bearer {token[:-1]}_"})
        statuses.append(answer.status_code)
        assert token[:-1] not in answer.text
    caplog.clear()  # The client above has a log of its own.
    push(queued("SECRET-ID", 999_999, AMOUNT))
    with caplog.at_level(logging.DEBUG):
        flush()
    assert {200, 400, 401, 404, 409} <= set(statuses)
    assert row.digest not in log.read_text()
    for said in (log.read_text(), caplog.text):
        assert len(said) > 100
        for secret in (token, token[6:-1], str(AMOUNT), "SECRET-ID"):
            assert secret not in said
