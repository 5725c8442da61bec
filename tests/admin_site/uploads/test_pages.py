"""The pages of an upload: what it was taken for, what would be posted, what came of it, and each step."""

import csv
import io
import re
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client

from tests.importing.reading import zipped
from tests.support.rule_pages import plain, text_of
from tests.support.uploads import (
    MEANT,
    again,
    as_form,
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
from transactions.admin_site.uploads.mapping_form import UNANSWERED
from transactions.audit.actions import Action
from transactions.audit.models import Entry
from transactions.importing.mapping import parse
from transactions.models import Transaction
from transactions.storing.flush import flush
from transactions.uploads import steps
from transactions.uploads.models import Upload

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = "<script>alert(1)</script>{{7*7}}\u202e"


@pytest.fixture
def ina(people: list[User]) -> Client:
    return importer()[0]


def noted(upload: Upload, *actions: Action) -> list[str]:
    """Who did that with an upload, by the audit trail, which outlives tests."""
    entries = Entry.objects.filter(target_id=upload.pk, action__in=actions or Action.values).order_by("-id")
    return [entry.actor for entry in entries if entry.action.startswith("upload.")]


def take(client: Client, upload: Upload, name: str) -> str:
    """What the page says after a step."""
    answer = client.post(at("step", upload.pk, name), follow=True)
    assert answer.status_code == 200
    return plain(answer.content.decode())


def mean(client: Client, upload: Upload, then: str = "check", **more: str) -> str:
    """What the page says after somebody has said what the file means."""
    form = {**as_form(), **{name.replace("__", "."): value for name, value in more.items()}}
    answer = client.post(at("meaning", upload.pk), {**form, "then": then}, follow=True)
    assert answer.status_code == 200
    return plain(answer.content.decode())


def test_without_uploads_the_list_says_what_comes_in_here(ina: Client) -> None:
    said = text_of(ina, at("changelist"))
    assert "Nothing uploaded yet" in said
    assert "Upload a file" in said


def test_the_sidebar_and_the_search_lead_to_imports_for_who_may(ina: Client, people: list[User]) -> None:
    assert f'href="{at("changelist")}"' in ina.get(at("changelist")).content.decode()
    found = ina.get("/admin/find/found/?q=impor").json()["groups"]
    assert [item["title"] for group in found for item in group["items"]] == ["Imports"]
    other = Client()
    other.force_login(User.objects.create_user("sam", is_staff=True))
    assert other.get("/admin/find/found/?q=impor").json()["groups"] == []


def test_a_file_from_its_upload_to_its_end(ina: Client, people: list[User]) -> None:
    rows = [
        f"P1,{people[0].pk},1234.50,paid,2026-03-14T12:00:00",
        f"P2,{people[0].pk},much,paid,2026-03-14T12:01:00",
    ]
    where = send(ina, csv_of(rows))["Location"]
    upload = Upload.objects.get()
    said = text_of(ina, where)
    assert "Waits to be read" in said
    told = ina.get(at("progress", upload.pk)).json()
    assert told["under_way"]
    assert told["label"] == "Waits to be read"

    step(upload)
    said = text_of(ina, where)
    assert "To be agreed on" in said
    assert "What the file was taken for" in said
    assert "“paid” is Success, as usual" in said
    assert "The first rows as they are" in said

    said = mean(ina, upload)
    assert "Waits to be checked" in said
    step(upload)
    said = text_of(ina, where)
    assert "What would be imported" in said
    assert "Rows in the file 2 1,234.50 Transactions 1 The same once more 0 Refused 1" in said
    assert "Import 1 transaction" in said
    # One button of a page is the first.
    assert ina.get(where).content.count(b"button-first") == 1
    flush()
    assert not Transaction.objects.exists()

    said = take(ina, upload, "import")
    assert "Waits to be imported" in said
    step(upload)
    said = text_of(ina, where)
    assert "What came of it Accepted 1 1,234.50 Succeeded In already 0 Refused 1" in said
    assert "Download the refused rows" in said
    flush()
    assert Transaction.objects.get().amount == 123_450
    assert "1 accepted, 0 in already, 1 refused" in text_of(ina, at("changelist"))
    assert noted(upload) == ["ina"] * 3


def test_rows_that_may_have_come_in_by_an_unconfirmed_try_are_told(ina: Client, people: list[User]) -> None:
    upload = imported(uploaded(payments(people[0], 1, 2)))
    assert upload.outcome is not None
    where, doubt = at("change", upload.pk), "of those in already may be of this import"
    assert doubt not in text_of(ina, where)
    # As it was kept before such rows were counted.
    before = {name: kept for name, kept in upload.outcome.items() if name != "resent_rows"}
    for outcome, said in ((before, False), ({**before, "resent_rows": 2}, True)):
        Upload.objects.update(outcome=outcome)
        assert (f"2 {doubt}" in text_of(ina, where)) is said


def test_refused_rows_are_downloaded_corrected_and_go_in_again(ina: Client, people: list[User]) -> None:
    rows = [
        f"P1,{people[0].pk},1.50,paid,2026-03-14T12:00:00",
        f"=P2,{people[0].pk},much,paid,2026-03-14T12:01:00",
    ]
    upload = imported(uploaded(csv_of(rows)))
    answer = ina.get(at("refused", upload.pk))
    assert answer["Content-Disposition"] == 'attachment; filename="payments-refused.csv"'
    text = answer.getvalue().decode()
    head, row = csv.reader(io.StringIO(text))
    assert [*head[:4], *head[5:]] == [
        "line", "code", "reason", "content_id", "id", "customer", "amount", "status", "date",
    ]  # fmt: skip
    # What the whole file has proved goes with its rows.
    assert head[4].startswith("kinds {")
    assert all(
        each in head[4] for each in ('"decimals": 2', '"unit": "whole"', '"mark": "."', '"dates": "iso"')
    )
    assert (row[:2], row[5:8]) == (["3", "invalid"], ["'=P2", str(people[0].pk), "much"])
    assert noted(upload, Action.UPLOAD_REFUSED_READ) == ["ina"]

    send(ina, text.replace(",much,", ",2.50,").encode(), "payments-refused.csv")
    second = Upload.objects.latest("pk")
    step(second)
    assert again(second).columns == again(upload).columns
    assert "It has the columns of “payments.csv”" in text_of(ina, at("change", second.pk))
    mean(ina, second)
    step(second)
    take(ina, second, "import")
    step(second)
    flush()
    stored = Transaction.objects.order_by("amount").values_list("transaction_id", "amount")
    assert list(stored) == [("P1", 150), ("=P2", 250)]


def test_what_has_to_be_answered_comes_first_and_holds_up_the_check(ina: Client, people: list[User]) -> None:
    content = b"ref,who,total\n" + b"".join(b"R%d,%d,%d\n" % (n, people[0].pk, n) for n in range(1, 4))
    upload = step(uploaded(content))
    said = text_of(ina, at("change", upload.pk))
    assert "To be answered" in said
    form = {"map.columns.amount": "total", "map.columns.user": "who", "map.columns.transaction_id": "ref"}
    answer = ina.post(at("meaning", upload.pk), {**form, "then": "check"})
    said = plain(answer.content.decode())
    assert "To be answered" in said
    assert "No column tells what became of them." in said
    assert again(upload).state == "WAITS"
    assert parse(again(upload).mapping).columns["amount"] == "total"


def test_a_field_that_makes_no_sense_is_told_beside_it_and_nothing_is_kept(
    ina: Client, people: list[User]
) -> None:
    upload = step(uploaded(payments(people[0], 1)))
    before = upload.mapping
    said = mean(ina, upload, map__decimals="many", map__timezone="Mars/Phobos")
    assert "“Decimals of the file’s amounts”: it is a whole number from 0 to" in said
    assert "“Time zone of times without one”: it is the name of a timezone, as Europe/Berlin" in said
    assert again(upload).mapping == before


def test_what_is_typed_is_shown_as_it_would_be_posted(ina: Client, people: list[User]) -> None:
    upload = step(uploaded(payments(people[0], 7)))
    said = mean(ina, upload, "show")
    assert "The first rows as they would be posted" in said
    assert f"2 P7 {people[0].username} ({people[0].pk}) 700 Succeeded" in said
    assert parse(again(upload).mapping).decimals == MEANT.decimals
    assert again(upload).state == "WAITS"


def test_which_column_says_debit_is_asked_until_it_is_answered(ina: Client, people: list[User]) -> None:
    """Of D alone nobody knows what it stands for; passed over it would make payments of refunds."""
    row = f"{people[0].pk},1.00,paid,2026-03-14T12:00:00,D"
    upload = step(
        uploaded("\n".join(["id,customer,amount,status,date,art", *(f"P{n},{row}" for n in "1234")]).encode())
    )
    asked = "Column “art” may say which amounts are debits"
    page = ina.get(at("change", upload.pk)).content.decode()
    (direction,) = re.findall(r'name="map.columns.direction".*?</select>', page, re.DOTALL)
    assert re.findall(r'<option value="([^"]*)"\s*selected', direction) == [UNANSWERED]
    assert asked in mean(ina, upload, map__columns__direction=UNANSWERED)
    assert (again(upload).state, again(upload).step) == ("WAITS", "READ")
    assert asked not in mean(ina, upload, map__columns__direction="")
    assert (again(upload).state, again(upload).step) == ("QUEUED", "CHECK")


def test_customers_are_made_by_who_may_add_them_alone(ina: Client, people: list[User]) -> None:
    upload = step(uploaded(payments(people[0], 1)))
    assert "you may not add customers" in text_of(ina, at("change", upload.pk))
    mean(ina, upload, "show", create_users="on")
    assert not again(upload).create_users
    adding, ada = importer("ada", "add_user")
    upload = step(uploaded(payments(people[0], 1), ada))
    assert "Make a customer for each" in text_of(adding, at("change", upload.pk))
    mean(adding, upload, "show", create_users="on")
    assert again(upload).create_users


def test_a_step_that_cannot_be_taken_says_why(ina: Client, people: list[User]) -> None:
    upload = step(uploaded(payments(people[0], 1)))
    assert "payments.csv has not been checked." in take(ina, upload, "import")
    checked_one = checked(uploaded(payments(people[0], 2)))
    take(ina, checked_one, "import")
    assert "payments.csv is worked on: cancel that first." in take(ina, checked_one, "remove")
    assert "It is ended." in take(ina, checked_one, "cancel")
    cancelled = text_of(ina, at("change", checked_one.pk))
    assert "Cancelled" in cancelled
    assert "None of its rows is in." in cancelled
    assert ina.get(at("progress", checked_one.pk)).json()["told"] == "none is in"
    # Nothing is in: there is no rest, and one button that imports.
    offered = [word in cancelled for word in ("Import 1 transaction", "Import the rest", "Try again")]
    assert offered == [True, False, False]


def test_how_far_an_import_is_is_what_is_in(ina: Client, people: list[User]) -> None:
    """While its worker looks at the file once more, and where it was cancelled in that or later."""
    upload = checked(uploaded(payments(people[0], *range(1, 31))))
    running = {"step": "IMPORT", "state": "RUNNING", "done": 20}
    Upload.objects.filter(pk=upload.pk).update(**running)
    told = ina.get(at("progress", upload.pk)).json()
    assert (told["told"], told["percent"]) == ("20 of 30 rows looked at, none is in yet", 66)
    done = imported(uploaded(payments(people[0], *range(41, 61)))).outcome

    # It goes on behind what is in, and looks at all rows once more before.
    Upload.objects.filter(pk=upload.pk).update(**running | {"outcome": done, "done": 1})
    told = ina.get(at("progress", upload.pk)).json()["told"]
    assert told == "1 of 30 rows looked at, 20 are in"
    # A worker was killed, and another is to take it up.
    Upload.objects.filter(pk=upload.pk).update(state="QUEUED", done=25)
    assert ina.get(at("progress", upload.pk)).json()["told"] == "20 of 30 rows are in"
    Upload.objects.filter(pk=upload.pk).update(state="CANCELLED", ended_at=Now())
    assert ina.get(at("progress", upload.pk)).json()["told"] == "20 of 30 rows are in"
    assert "None of its rows" not in text_of(ina, at("change", upload.pk))


def test_refused_rows_are_not_counted_as_in(ina: Client, people: list[User]) -> None:
    rows = [f"P{n},{people[0].pk},{amount},paid,2026-03-14" for n, amount in enumerate(("1.00", "much"))]
    upload = imported(uploaded(csv_of(rows)))
    assert ina.get(at("progress", upload.pk)).json()["told"] == "1 of 2 rows are in"


def test_what_was_checked_can_be_changed_again(ina: Client, people: list[User]) -> None:
    upload = checked(uploaded(payments(people[0], 1)))
    said = take(ina, upload, "again")
    assert "To be agreed on" in said
    assert "What would be imported" not in said


def test_a_file_is_removed_with_its_refused_rows(ina: Client, people: list[User]) -> None:
    upload = imported(
        uploaded(
            csv_of([f"P1,{people[0].pk},x,paid,2026-03-14", *[f"P2,{people[0].pk},1.00,paid,2026-03-14"]])
        )
    )
    said = take(ina, upload, "remove")
    assert "The file and its refused rows are removed. What was imported stays." in said
    assert not Upload.objects.exists()
    assert ina.get(at("change", upload.pk)).status_code == 404
    assert noted(upload, Action.UPLOAD_REMOVED) == ["ina"]


def test_a_step_sent_twice_is_taken_once(ina: Client, people: list[User]) -> None:
    upload = checked(uploaded(payments(people[0], 1)))
    token = str(ina.get(at("change", upload.pk)).context["csrf_token"])
    first, second = (
        ina.post(at("step", upload.pk, "import"), {"csrfmiddlewaretoken": token}, follow=True)
        for _ in range(2)
    )
    assert "has not been checked" not in plain(second.content.decode())
    assert noted(upload, Action.UPLOAD_STARTED) == ["ina"]
    assert first.redirect_chain == second.redirect_chain


def test_the_same_file_imported_before_is_said(ina: Client, people: list[User]) -> None:
    imported(uploaded(payments(people[0], 1)))
    upload = step(uploaded(payments(people[0], 1)))
    assert "The same file was imported before" in text_of(ina, at("change", upload.pk))


def test_whatever_stands_in_a_file_is_shown_as_text(ina: Client, people: list[User]) -> None:
    header = f"id,customer,amount,status,{HOSTILE}"
    content = f"{header}\n{HOSTILE},{people[0].pk},1.00,{HOSTILE},{HOSTILE}\n".encode()
    upload = step(uploaded(content, name=f"{HOSTILE}.csv"))
    page = ina.get(at("change", upload.pk)).content.decode()
    assert "<script>alert" not in page
    assert "{{7*7}}" in page
    # What a form sends back is exact; what is read is not turned round.
    assert "\u202e" not in plain(page)


def test_of_several_tables_in_a_zip_one_is_chosen_on_the_page(ina: Client, people: list[User]) -> None:
    content = zipped(may__csv=payments(people[0], 5), june__csv=payments(people[0], 6, 7))
    upload = step(uploaded(content, name="both.zip"))
    assert (upload.state, upload.columns) == ("FAILED", [])
    page = plain(ina.get(at("change", upload.pk)).content.decode())
    assert "2 tables are in the zip ('may.csv', 'june.csv')" in page
    assert "How it is read" in page

    answer = ina.post(
        at("reading", upload.pk), {"read.member": "june.csv", "read.header": "first"}, follow=True
    )
    assert "“Line of the header”: it is the number of a line, from 1 to 200, or 0" in plain(
        answer.content.decode()
    )
    ina.post(at("reading", upload.pk), {"read.member": "june.csv"})
    upload = step(upload)
    assert (upload.state, upload.rows, parse(upload.mapping).member) == ("WAITS", 2, "june.csv")

    mean(ina, upload)
    upload = step(upload)
    assert upload.summary is not None
    assert (upload.summary["records"], parse(upload.mapping).member) == (2, "june.csv")


def test_a_file_like_one_before_is_not_read_as_that_was(ina: Client, people: list[User]) -> None:
    first = step(uploaded(b"Made for you\n" + payments(people[0], 1)))
    ina.post(at("reading", first.pk), {"read.header": "2"})
    assert (step(first).columns, again(first).rows) == (["id", "customer", "amount", "status", "date"], 1)
    mean(ina, first)
    step(first)
    take(ina, first, "import")
    assert step(first).state == "DONE"

    second = step(uploaded(payments(people[0], 2, 3)))
    assert "the columns of" in second.guessed["reasons"][0]
    assert (parse(second.mapping).header, second.rows) == (None, 2)


def test_a_column_that_is_passed_over_and_guarded_cells_are_told(ina: Client, people: list[User]) -> None:
    upload = step(uploaded(payments(people[0], 1)))
    steps.agree(upload, replace(MEANT, skip={"status": ("draft",)}, guarded=True), create_users=False)
    page = plain(ina.get(at("change", upload.pk)).content.decode())
    assert "Rows that are passed over" in page
    assert "“status” is draft" in page
    mean(ina, upload, **{"map__guarded": "perhaps"})
    page = mean(ina, upload, then="show", **{"map__guarded": "false"})
    assert parse(again(upload).mapping).guarded is False


@pytest.mark.parametrize(
    "path",
    ["0/change/", "x/change/", "9/progress/", "9/refused/", "99999999999999999999/change/"],
)
def test_what_is_not_there_is_not_found(ina: Client, path: str) -> None:
    assert ina.get(f"/admin/uploads/upload/{path}").status_code == 404


def test_every_page_and_step_needs_the_right(people: list[User]) -> None:
    upload = checked(uploaded(payments(people[0], 1)))
    client = Client()
    client.force_login(User.objects.create_user("sam", is_staff=True))
    asked: list[Any] = [
        client.get(at("changelist")),
        client.get(at("new")),
        client.get(at("change", upload.pk)),
        client.get(at("progress", upload.pk)),
        client.get(at("refused", upload.pk)),
        client.post(at("meaning", upload.pk)),
        client.post(at("reading", upload.pk)),
        *(client.post(at("step", upload.pk, name)) for name in ("check", "import", "again", "remove")),
    ]
    assert [answer.status_code for answer in asked] == [403] * 11
    assert again(upload).state == "WAITS"


def test_a_page_costs_as_many_statements_however_long_the_file(
    ina: Client, people: list[User], django_assert_max_num_queries: Any
) -> None:
    upload = step(uploaded(payments(people[0], *range(1, 3_000))))
    with django_assert_max_num_queries(30):
        ina.get(at("change", upload.pk))


def test_a_kind_that_is_no_payment_is_asked_about_and_can_be_passed_over(
    ina: Client, people: list[User]
) -> None:
    first, second = payments(people[0], 1, 2).splitlines()[1:]
    rows = (b"id,customer,amount,status,date,Type", first + b",sale", second + b",fee", b"")
    upload = step(uploaded(b"\n".join(rows)))
    page = plain(ina.get(at("change", upload.pk)).content.decode())
    assert "Column “Type” has kinds of rows that may be no payments (line 3: “fee”)" in page

    page = mean(ina, upload, then="show", **{"map__skip.Type": "fee"})
    assert parse(again(upload).mapping).skip == {"Type": ("fee",)}
    assert "The first rows as they would be posted" in page
    mean(ina, upload, then="show", **{"map__skip.Type": "none"})
    assert parse(again(upload).mapping).skip == {"Type": ()}
