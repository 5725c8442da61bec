"""A file step by step: read, agreed on, checked, imported; and what comes between."""

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from tests.support.uploads import (
    MEANT,
    again,
    checked,
    csv_of,
    imported,
    payments,
    step,
    uploaded,
)
from transactions import runs, tasks
from transactions.audit.actions import Action
from transactions.audit.models import Entry
from transactions.client.api import BatchAnswer
from transactions.importing.posting import Post
from transactions.intake import ingest
from transactions.intake.outcomes import UNAVAILABLE, UNCONFIRMED, IntakeUnavailable, Outcome
from transactions.models import Transaction
from transactions.queue.records import Record
from transactions.stores.postgres_session import Session
from transactions.storing.flush import flush
from transactions.uploads import emptying, posting, steps, work
from transactions.uploads.models import Portion, RefusedRow, Upload
from transactions.uploads.watching import Watch

pytestmark = pytest.mark.django_db(transaction=True)


def state_of(upload: Upload) -> tuple[str, str]:
    now = again(upload)
    return now.step, now.state


def test_a_file_is_read_and_what_it_means_is_guessed_and_not_taken(people: list[User]) -> None:
    upload = step(uploaded(payments(people[0], 1, 2, 3)))
    assert (upload.step, upload.state, upload.rows) == ("READ", "WAITS", 3)
    assert upload.columns == ["id", "customer", "amount", "status", "date"]
    assert "CSV" in upload.form
    assert [row["line"] for row in upload.head] == [2, 3, 4]
    assert 'amount = "amount"' in upload.mapping
    assert any("amount" in reason for reason in upload.guessed["reasons"])
    assert work.run_next() is None


def test_a_check_says_what_would_happen_and_posts_nothing(people: list[User]) -> None:
    rows = [
        f"P1,{people[0].pk},1.50,paid,2026-03-14T12:00:00",
        f"P2,{people[0].pk},2.00,declined,2026-03-14T12:01:00",
        "P3,424242,3.00,paid,2026-03-14T12:02:00",
        f"P4,{people[0].pk},much,paid,2026-03-14T12:03:00",
    ]
    upload = checked(uploaded(csv_of(rows)))
    assert (upload.step, upload.state, upload.error) == ("CHECK", "WAITS", "")
    assert upload.summary is not None
    found = {name: upload.summary[name] for name in ("rows", "records", "replays", "refused")}
    assert found == {"rows": 4, "records": 2, "replays": 0, "refused": 2}
    assert upload.summary["in_file"] == {"rows": 3, "sum": "650"}
    assert upload.summary["by_status"] == {
        "SUCCESS": {"rows": 1, "sum": "150"},
        "FAILED": {"rows": 1, "sum": "200"},
    }
    assert upload.summary["first"][0]["record"]["transaction_id"] == "P1"
    flush()
    assert not Transaction.objects.exists()


def test_an_import_ends_in_rows_and_money_and_keeps_what_was_refused(people: list[User]) -> None:
    ina = User.objects.create_user("ina", is_staff=True)
    bea = User.objects.create_user("bea", is_staff=True)
    rows = [
        f"P1,{people[0].pk},1.50,paid,2026-03-14T12:00:00",
        f"P2,{people[0].pk},much,paid,2026-03-14T12:01:00",
        f"P3,{people[1].pk},3.00,declined,2026-03-14T12:02:00",
        f"P1,{people[0].pk},1.50,paid,2026-03-14T12:00:00",
    ]
    upload = imported(uploaded(csv_of(rows), ina), by=bea)
    assert (upload.step, upload.state, upload.error) == ("IMPORT", "DONE", "")
    assert upload.outcome is not None
    counts = {name: upload.outcome[name] for name in ("accepted", "replayed", "refused")}
    assert counts == {"accepted": 2, "replayed": 1, "refused": 1}
    sums = {"SUCCESS": {"rows": 1, "sum": "150"}, "FAILED": {"rows": 1, "sum": "300"}}
    assert upload.outcome["accepted_money"] == sums
    assert upload.outcome["replayed_money"] == {"SUCCESS": {"rows": 1, "sum": "150"}}
    refused = RefusedRow.objects.get()
    assert (refused.line, refused.cells[7]) == (3, "much")
    assert "much" in refused.reason
    flush()
    stored = Transaction.objects.order_by("transaction_id").values_list("transaction_id", "amount", "status")
    assert list(stored) == [("P1", 150, "SUCCESS"), ("P3", 300, "FAILED")]
    assert not Portion.objects.exists()
    begun, ended = Entry.objects.filter(target_id=upload.pk, action__startswith="upload.import").order_by(
        "id"
    )
    assert (begun.action, ended.action) == (Action.UPLOAD_STARTED, Action.UPLOAD_ENDED)
    assert (ended.actor, ended.actor_id, ended.via) == ("bea", bea.pk, "admin")
    assert '"accepted":2' in ended.details
    assert '"sums":{"FAILED":"300","SUCCESS":"150"}' in ended.details


def test_a_file_that_cannot_be_read_to_its_end_has_failed_with_the_reason(people: list[User]) -> None:
    whole = gzip.compress(payments(people[0], *range(1, 5_000)))
    upload = step(uploaded(whole[: len(whole) // 2], name="cut.csv.gz"))
    assert (upload.state, upload.outcome) == ("FAILED", None)
    assert "cut.csv.gz" in upload.error
    steps.remove(upload)
    assert not Upload.objects.exists()
    assert not Portion.objects.exists()


def test_a_meaning_that_the_file_contradicts_goes_back_with_the_reason(people: list[User]) -> None:
    rows = [f"P{n},{people[0].pk},{amount},paid,2026-03-14" for n, amount in enumerate(("1,50", "2.50"))]
    content = csv_of(rows).replace(b",1,50,", b',"1,50",')
    upload = checked(uploaded(content), MEANT)
    assert (upload.step, upload.state, upload.summary) == ("READ", "WAITS", None)
    assert "amount" in upload.error
    with pytest.raises(steps.UploadRefused, match="has not been checked"):
        steps.ask_import(upload)


def test_nothing_is_imported_that_was_not_checked_as_it_was_agreed(people: list[User]) -> None:
    upload = checked(uploaded(payments(people[0], 1)))
    steps.agree(upload, MEANT, create_users=False)
    with pytest.raises(steps.UploadRefused, match="has not been checked"):
        steps.ask_import(upload)


def test_a_file_of_which_all_rows_are_refused_is_not_imported(people: list[User]) -> None:
    upload = checked(uploaded(csv_of(["P1,424242,1.00,paid,2026-03-14T12:00:00"])))
    with pytest.raises(steps.UploadRefused, match="has nothing to import"):
        steps.ask_import(upload)


def test_customers_are_made_where_that_is_agreed(people: list[User]) -> None:
    content = csv_of(
        ["P1,Ann Smith,1.00,paid,2026-03-14T12:00:00", "P2,Ann Smith,2.00,paid,2026-03-14T12:01:00"]
    )
    meant = replace(MEANT, users="name")
    upload = checked(uploaded(content), meant, create_users=True)
    before = User.objects.count()
    steps.ask_import(upload)
    upload = step(upload)
    assert upload.outcome is not None
    assert (upload.outcome["accepted"], upload.outcome["users_made"]) == (2, 1)
    assert User.objects.count() == before + 1


def test_of_two_workers_one_takes_a_step(people: list[User]) -> None:
    upload = uploaded(payments(people[0], 1))
    with Session() as other:
        assert other.try_lock(steps.LOCK_CLASS << 32 | upload.pk)
        assert work.run_next() is None
    assert state_of(upload) == ("READ", "QUEUED")


def test_what_waits_is_cancelled_at_once_and_can_be_taken_up_again(people: list[User]) -> None:
    upload = uploaded(payments(people[0], 1))
    steps.cancel(upload)
    assert state_of(upload) == ("READ", "CANCELLED")
    steps.cancel(upload)
    assert work.run_next() is None
    steps.read_again(upload)
    assert step(upload).state == "WAITS"
    with pytest.raises(steps.UploadRefused, match="Nothing is done with"):
        steps.cancel(upload)


def test_an_import_that_is_cancelled_keeps_what_was_posted_and_goes_on_behind_it(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transactions.uploads.watching.NOTED_EVERY_S", 0)
    upload = checked(uploaded(payments(people[0], *range(1, 2_501))))
    look = Watch.look

    def cancelled_at_once(watch: Watch) -> None:
        steps.cancel(upload)
        look(watch)

    # While it looks at the file once more: none is in.
    steps.ask_import(upload)
    with monkeypatch.context() as before:
        before.setattr(Watch, "look", cancelled_at_once)
        ended = step(upload)
    assert (ended.state, ended.done, ended.total, ended.outcome) == ("CANCELLED", 0, 2_500, None)
    steps.ask_import(upload)
    posted: list[int] = []

    def cancelled_after_the_first(pk: int, watch: Watch) -> Post:
        post = posting.into_intake(pk, watch)

        def one_batch(records: Sequence[Mapping[str, Any]]) -> BatchAnswer:
            answer = post(records)
            posted.append(len(records))
            if len(posted) == 1:
                steps.cancel(upload)
            return answer

        return one_batch

    monkeypatch.setattr(work, "into_intake", cancelled_after_the_first)
    cancelled = step(upload)
    assert (cancelled.step, cancelled.state, posted) == ("IMPORT", "CANCELLED", [1_000])
    assert cancelled.outcome is not None
    assert (cancelled.outcome["accepted"], cancelled.outcome["last_line"]) == (1_000, 1_001)
    steps.ask_import(upload)
    # Cancelled again, before it comes to what is new.
    with monkeypatch.context() as before:
        before.setattr(Watch, "look", cancelled_at_once)
        assert (step(upload).state, again(upload).done, again(upload).total) == ("CANCELLED", 1_000, 2_500)
    steps.ask_import(upload)
    done = step(upload)
    assert (done.state, posted) == ("DONE", [1_000, 1_000, 500])
    assert done.outcome is not None
    assert (done.outcome["accepted"], done.outcome["replayed"]) == (2_500, 0)
    assert done.outcome["accepted_money"]["SUCCESS"]["sum"] == str(100 * sum(range(1, 2_501)))


def test_what_a_worker_gives_back_is_taken_up_as_if_it_had_not_been_taken(people: list[User]) -> None:
    upload = uploaded(payments(people[0], *range(1, 300)))
    assert work.run_next(lambda: True) == upload
    assert (again(upload).state, again(upload).attempts) == ("QUEUED", 0)
    assert step(upload).state == "WAITS"


def test_what_a_killed_worker_leaves_is_taken_up_again_and_given_up_the_second_time(
    people: list[User],
) -> None:
    upload = uploaded(payments(people[0], 1))
    for attempts, state, said in ((1, "QUEUED", ""), (2, "FAILED", runs.KILLED)):
        Upload.objects.filter(pk=upload.pk).update(state="RUNNING", attempts=attempts)
        assert steps.look_after() == (state == "QUEUED")
        assert (again(upload).state, again(upload).error) == (state, said)


def test_what_a_worker_holds_is_not_taken_back(people: list[User]) -> None:
    upload = uploaded(payments(people[0], 1))
    Upload.objects.filter(pk=upload.pk).update(state="RUNNING", attempts=1)
    with Session() as other:
        assert other.try_lock(steps.LOCK_CLASS << 32 | upload.pk)
        steps.look_after()
        assert state_of(upload) == ("READ", "RUNNING")


def test_what_nobody_goes_on_with_is_removed_after_a_week(people: list[User]) -> None:
    waits, done = step(uploaded(payments(people[0], 1))), imported(uploaded(payments(people[0], 2)))
    old = timezone.now() - timedelta(days=7, minutes=1)
    Upload.objects.filter(pk=waits.pk).update(asked_at=old)
    steps.look_after()
    assert list(Upload.objects.all()) == [done]
    Upload.objects.filter(pk=done.pk).update(ended_at=old)
    steps.look_after()
    assert not Upload.objects.exists()
    assert not Portion.objects.exists()


def test_a_file_with_the_columns_of_another_is_taken_to_mean_the_same(people: list[User]) -> None:
    imported(uploaded(payments(people[0], 1)))
    upload = step(uploaded(payments(people[0], 2), name="april.csv"))
    assert "It has the columns of “payments.csv”, and is taken to mean the same." in upload.guessed["reasons"]
    assert 'paid = "SUCCESS"' in upload.mapping


def test_the_same_bytes_imported_before_are_known(people: list[User]) -> None:
    first = imported(uploaded(payments(people[0], 1)))
    second = uploaded(payments(people[0], 1))
    assert steps.imported_before(second) == first
    assert steps.imported_before(uploaded(payments(people[0], 2))) is None


def test_the_tasks_take_steps_and_look_after_them(people: list[User]) -> None:
    upload = uploaded(payments(people[0], 1))
    tasks.run_upload()
    assert state_of(upload) == ("READ", "WAITS")
    Upload.objects.filter(pk=upload.pk).update(state="RUNNING")
    tasks.look_after_backtests()
    assert state_of(upload)[1] == "QUEUED"


def test_deleting_everything_deletes_uploads_too_and_the_audit_says_so(
    people: list[User], api: APIClient, settings: Any
) -> None:
    settings.ALLOW_DELETE_ALL = True
    imported(
        uploaded(
            csv_of([f"P1,{people[0].pk},much,paid,2026-03-14", f"P2,{people[0].pk},1.00,paid,2026-03-14"])
        )
    )
    step(uploaded(payments(people[0], 1)))
    assert (Upload.objects.count(), RefusedRow.objects.count(), Portion.objects.count()) == (2, 1, 1)

    assert api.delete("/api/delete-transactions/?reason=a+new+start").status_code == 200

    assert (Upload.objects.count(), RefusedRow.objects.count(), Portion.objects.count()) == (0, 0, 0)
    entry = Entry.objects.filter(action=Action.UPLOADS_REMOVED).latest("id")
    assert (entry.target, '"uploads":2' in entry.details, entry.reason) == ("2 uploads", True, "a new start")
    assert api.delete("/api/delete-transactions/").status_code == 200
    assert Entry.objects.filter(action=Action.UPLOADS_REMOVED).latest("id") == entry


def test_an_import_under_way_ends_where_everything_is_deleted(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = checked(uploaded(payments(people[0], *range(1, 2_501))))
    look = Watch.look

    def cancelled_at_once(watch: Watch) -> None:
        steps.cancel(upload)
        look(watch)

    # While it looks at the file once more: none is in.
    steps.ask_import(upload)
    with monkeypatch.context() as before:
        before.setattr(Watch, "look", cancelled_at_once)
        ended = step(upload)
    assert (ended.state, ended.done, ended.total, ended.outcome) == ("CANCELLED", 0, 2_500, None)
    steps.ask_import(upload)
    posted: list[int] = []

    def emptied_after_the_first(pk: int, watch: Watch) -> Post:
        post = posting.into_intake(pk, watch)

        def one_batch(records: Sequence[Mapping[str, Any]]) -> BatchAnswer:
            answer = post(records)
            posted.append(len(records))
            if len(posted) == 1:
                emptying.empty_everything()
            return answer

        return one_batch

    monkeypatch.setattr(work, "into_intake", emptied_after_the_first)
    assert work.run_next() is None
    flush()
    assert (posted, Upload.objects.exists(), Transaction.objects.exists()) == ([1_000], False, False)


def answered_once(monkeypatch: pytest.MonkeyPatch, why: str, meanwhile: Callable[[], object] | None) -> None:
    """The first try gets no answer: nothing was taken where something happens meanwhile, else all."""
    accept, tries = ingest.accept, list[str]()

    async def once_without(records: Sequence[Record], request_id: str) -> list[Outcome]:
        tries.append(request_id)
        if len(tries) > 1:
            return await accept(records, request_id)
        if meanwhile is None:
            await accept(records, request_id)
        else:
            await sync_to_async(meanwhile)()
        raise IntakeUnavailable(why, retry_after_s=0)

    monkeypatch.setattr(ingest, "accept", once_without)


def test_rows_that_an_unconfirmed_try_brought_in_are_told_apart_from_those_of_before(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = checked(uploaded(payments(people[0], 1, 2, 3)))
    steps.ask_import(upload)
    answered_once(monkeypatch, UNCONFIRMED, None)
    done = step(upload)
    assert done.outcome is not None
    told = [done.outcome[name] for name in ("accepted", "replayed", "resent_rows")]
    assert (done.state, told) == ("DONE", [0, 3, 3])
    ended = Entry.objects.get(target_id=upload.pk, action=Action.UPLOAD_ENDED)
    assert '"resent_rows":3' in ended.details


@pytest.mark.parametrize("how", ["removed", "cancelled"])
def test_what_is_removed_or_cancelled_while_intake_takes_nothing_is_not_posted_behind_the_wait(
    people: list[User], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    upload = checked(uploaded(payments(people[0], 1, 2, 3)))
    steps.ask_import(upload)
    end = emptying.empty_everything if how == "removed" else lambda: steps.cancel(upload)
    answered_once(monkeypatch, UNAVAILABLE["emptying"], end)
    work.run_next()
    flush()
    assert not Transaction.objects.exists()
