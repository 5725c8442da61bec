"""The list of rules and the page of a rule: who sees them, what they say, and the steps of a version."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.markup import markup
from tests.support.rule_pages import HOSTILE_NAME, at, drafted, member, plain, sent, step, submitted, text_of
from tests.support.rules import LONG_AGO, rule_in_force
from transactions.admin_site.rules import page
from transactions.rules import activity, lifecycle
from transactions.rules.locks import IMPORT_LOCK
from transactions.rules.models import Debt, Hit, Rule, UserList, Version, VersionState
from transactions.stores.postgres_session import Session
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def four_eyes(settings: Settings) -> None:
    settings.FOUR_EYES = True


@pytest.fixture
def author(people: list[User]) -> tuple[Client, User]:
    return member("ann", "view", "change")


@pytest.fixture
def approver(people: list[User]) -> tuple[Client, User]:
    return member("bea", "view", "approve")


@pytest.fixture
def active(author: tuple[Client, User], approver: tuple[Client, User]) -> Version:
    """A rule about 1,000 and more, in force since long ago."""
    version = submitted(author[1])
    lifecycle.approve(version, approver[1], begin=LONG_AGO)
    flush()
    return version


def store_hits(people: list[User], amounts: tuple[int, ...] = (1000, 2500, 999)) -> None:
    take(*(record(f"T{amount}", people[0], amount) for amount in amounts))
    flush()


# --- The list ----------------------------------------------------------------------------------


def test_the_list_needs_the_right_to_see_rules(client: Client, people: list[User]) -> None:
    assert client.get(at("rule_changelist")).status_code == 302
    assert member("nobody")[0].get(at("rule_changelist")).status_code == 403
    assert member("eve", "view")[0].get(at("rule_changelist")).status_code == 200


@pytest.mark.parametrize("right", ["view", "change", "approve"])
def test_pages_are_seen_with_the_right_to_see_rules_and_with_no_other_alone(right: str) -> None:
    version, users = drafted(), UserList.objects.create(name="Watched")
    client, _ = member("eve", right)
    pages = [
        at("rule_changelist"),
        at("rule_change", version.rule_id),
        at("userlist_changelist"),
        at("userlist_change", users.pk),
    ]
    expected = 200 if right == "view" else 403
    assert [client.get(path).status_code for path in pages] == [expected] * len(pages)


def test_where_there_are_no_rules_who_may_imports_those_to_start_with(author: tuple[Client, User]) -> None:
    assert "Import the twelve starter rules" in text_of(author[0], at("rule_changelist"))
    said = sent(author[0], at("rule_import_starter"))
    assert "12 drafts were made" in said
    assert set(Version.objects.values_list("state", "author")) == {("DRAFT", author[1].pk)}
    assert "are here already" in sent(author[0], at("rule_import_starter"))


def test_starter_rules_that_cannot_be_imported_say_why(author: tuple[Client, User]) -> None:
    UserList.objects.create(name="watched")
    said = sent(author[0], at("rule_import_starter"))
    assert "Nothing was imported" in said
    assert "watched" in said
    assert not Rule.objects.exists()


def test_starter_rules_are_not_imported_beside_another_file(
    author: tuple[Client, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "STEP_LOCK_MS_MAX", 200)
    with Session() as session, session.transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])
        said = sent(author[0], at("rule_import_starter"))
    assert "Nothing was imported" in said
    assert not Rule.objects.exists()


def test_who_may_only_look_imports_nothing(people: list[User]) -> None:
    eve, _ = member("eve", "view")
    said = text_of(eve, at("rule_changelist"))
    assert "No rules yet" in said
    assert "Import the twelve" not in said
    assert eve.post(at("rule_import_starter")).status_code == 403
    assert not Rule.objects.exists()


def test_the_list_tells_what_each_rule_says_and_found(
    people: list[User], active: Version, author: tuple[Client, User]
) -> None:
    store_hits(people)
    drafted("velocity_count", name="Many", count=3, window="10m")
    said = text_of(author[0], at("rule_changelist"))
    assert "Large High Active The amount is at least 1,000. 2 2 1 " in said
    assert "Many High Draft A customer makes at least 3 transactions within 10 minutes. 0 0 0 – never" in said


def test_a_rule_that_fails_or_owes_is_marked(active: Version, author: tuple[Client, User]) -> None:
    submitted(author[1], amount=5)
    response = author[0].get(at("rule_changelist"))
    assert [rule.waits for rule in response.context["cl"].result_list] == [True]
    Debt.objects.create(version=active, records=1200)
    assert "Owes 1,200 records" in text_of(author[0], at("rule_changelist"))
    Debt.objects.update(error="canceling statement due to statement timeout")
    assert "Fails" in text_of(author[0], at("rule_changelist"))
    said = text_of(author[0], at("rule_change", active.rule_id))
    assert "It failed when it was tried last: canceling statement due to statement timeout." in said


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=larg", {"Large"}),
        ("q=nothing", set()),
        ("state=ACTIVE", {"Large"}),
        ("state=DRAFT", {"Many"}),
        ("kind=velocity_count", {"Many"}),
        ("severity__exact=HIGH", {"Large", "Many"}),
        ("severity__exact=LOW", set()),
        ("look=silent", {"Large"}),
        ("look=fails", set()),
        ("look=owed", set()),
        ("look=waits", {"Large"}),
    ],
)
def test_the_list_is_narrowed(
    active: Version, author: tuple[Client, User], query: str, found: set[str]
) -> None:
    submitted(author[1], amount=5)
    drafted("velocity_count", name="Many", count=3, window="10m")
    response = author[0].get(f"{at('rule_changelist')}?{query}")
    assert {rule.name for rule in response.context["cl"].result_list} == found


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("state=%00", 302),
        ("kind=nothing", 200),
        ("look=nothing", 200),
        ("q=%00", 200),
        ("p=10000000", 200),
        ("o=9", 200),
    ],
)
def test_odd_filters_are_no_fault_of_the_server(
    active: Version, author: tuple[Client, User], query: str, status: int
) -> None:
    assert author[0].get(f"{at('rule_changelist')}?{query}").status_code == status


# --- A rule ------------------------------------------------------------------------------------


def test_the_page_needs_the_right_to_see_rules(active: Version) -> None:
    path = at("rule_change", active.rule_id)
    assert member("nobody")[0].get(path).status_code == 403
    assert "The amount is at least 1,000." in text_of(member("eve", "view")[0], path)


@pytest.mark.parametrize("key", ["0", "x", "1" * 40, "%00"])
def test_a_rule_that_there_is_not_is_a_404(author: tuple[Client, User], key: str) -> None:
    assert author[0].get(f"{at('rule_changelist')}{key}/change/").status_code == 404


def test_the_page_shows_hits_with_why_and_links(
    people: list[User], author: tuple[Client, User], approver: tuple[Client, User]
) -> None:
    version = submitted(author[1], kind="velocity_count", count=2, window="1h")
    lifecycle.approve(version, approver[1], begin=LONG_AGO)
    store_hits(people)
    path = at("rule_change", version.rule_id)
    said = text_of(author[0], path)
    assert "2 transactions within 1 hour" in said
    assert "3 transactions within 1 hour" in said
    assert "Hits, 7 days 2 30 days 2 Open alerts 1" in said
    key = Hit.objects.earliest("pk").transaction
    assert f"/admin/transactions/transaction/{key}/change/" not in author[0].get(path).content.decode()
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    assert f"/admin/transactions/transaction/{key}/change/" in root.get(path).content.decode()


def test_versions_differ_in_words(active: Version, author: tuple[Client, User]) -> None:
    drafted("velocity_count", author[1], count=3, window="10m", filter={"statuses": ["FAILED"]})
    path = at("rule_change", active.rule_id)
    said = text_of(author[0], f"{path}?old=1&new=2")
    for difference in (
        "Kind An amount → Many transactions",
        "Window open → 10 minutes",
        "Number open → 3",
        "Statuses open → failed",
        "Amount 1,000 → open",
    ):
        assert difference in said
    assert "Both say the same." in text_of(author[0], f"{path}?old=1&new=1")
    assert "Kind" in text_of(author[0], f"{path}?old=x&new=99999999999")


def test_what_is_written_into_names_and_descriptions_is_text(author: tuple[Client, User]) -> None:
    rule = Rule.objects.create(name=HOSTILE_NAME, description=HOSTILE_NAME)
    lifecycle.draft(rule, "amount", {"amount": 1}, author[1])
    for path in (at("rule_changelist"), at("rule_change", rule.pk), at("rule_draft", rule.pk)):
        shown = markup(author[0].get(path))
        assert "<script>alert" not in shown
        assert "&lt;script&gt;alert" in shown
        assert "{{7*7}}" in shown


# --- Steps -------------------------------------------------------------------------------------


def test_a_draft_is_submitted_by_who_writes_and_approved_by_somebody_else(
    author: tuple[Client, User], approver: tuple[Client, User]
) -> None:
    version = drafted(author=author[1])
    assert "Version 1 waits for approval" in sent(author[0], step(version, "submit"))
    said = sent(approver[0], step(version, "approve"), state="SHADOW", days="0")
    assert "Version 1 runs in shadow, for what happens from" in said
    sent(approver[0], step(version, "approve"), state="ACTIVE")
    version.refresh_from_db()
    assert (version.state, version.approver) == (VersionState.ACTIVE, approver[1])
    sent(approver[0], step(version, "retire"))
    version.refresh_from_db()
    assert version.state == VersionState.RETIRED


def test_the_author_is_told_why_approval_is_not_offered(settings: Settings) -> None:
    both, user = member("both", "view", "change", "approve")
    version = submitted(user)
    path = at("rule_change", version.rule_id)
    said = text_of(both, path)
    assert "You wrote this version, so somebody else approves it." in said
    assert "Approve it as" not in said
    assert "Nothing has changed." in sent(both, step(version, "approve"), state="ACTIVE")
    settings.FOUR_EYES = False
    assert "Approve it as" in text_of(both, path)
    sent(both, step(version, "approve"), state="ACTIVE")
    version.refresh_from_db()
    assert version.state == VersionState.ACTIVE


def test_without_a_known_author_nobody_approves(approver: tuple[Client, User]) -> None:
    version = submitted()
    assert "Nobody is known as its author" in text_of(approver[0], at("rule_change", version.rule_id))


@pytest.mark.parametrize(
    ("name", "rights"),
    [
        ("submit", ("view", "approve")),
        ("approve", ("view", "change")),
        ("retire", ("view", "change")),
    ],
)
def test_a_step_needs_its_right(people: list[User], name: str, rights: tuple[str, ...]) -> None:
    version = drafted() if name == "submit" else submitted()
    client, _ = member("eve", *rights)
    assert client.post(step(version, name), {"state": "ACTIVE"}).status_code == 403
    state = version.state
    version.refresh_from_db()
    assert version.state == state


def test_buttons_are_for_those_who_may(active: Version, author: tuple[Client, User]) -> None:
    version = submitted(author[1], amount=5)
    path = at("rule_change", active.rule_id)
    looks = text_of(member("eve", "view")[0], path)
    assert "You may not approve versions" in looks
    for button in ("Approve it as", "Change it in a new draft", "Withdraw", "Retire", "Start"):
        assert button not in looks
    writes = text_of(author[0], path)
    assert "Change it in a new draft" in writes
    assert "Approve it as" not in writes
    assert "Withdraw" in writes, "it is the author's own"
    assert version.state == VersionState.SUBMITTED


def test_an_author_withdraws_what_nobody_has_approved(author: tuple[Client, User], active: Version) -> None:
    for version in (drafted(author=author[1], name="Mine"), submitted(author[1], name="Mine")):
        sent(author[0], step(version, "retire"))
        version.refresh_from_db()
        assert version.state == VersionState.RETIRED
    assert author[0].post(step(active, "retire")).status_code == 403


def test_a_step_is_posted_and_known(active: Version, approver: tuple[Client, User]) -> None:
    assert approver[0].get(step(active, "retire")).status_code == 405
    assert approver[0].post(step(active, "frobnicate")).status_code == 404
    assert approver[0].post(at("rule_step", active.rule_id, 99, "retire")).status_code == 404  # type: ignore[arg-type]


@pytest.fixture
def past(people: list[User]) -> None:
    """A transaction of three days ago, stored already."""
    then = datetime.now(UTC) - timedelta(days=3)
    take(record("OLD", people[0], 5000, created_at=then))
    flush()


def test_approval_raises_for_the_past_too(
    past: None, author: tuple[Client, User], approver: tuple[Client, User]
) -> None:
    version = submitted(author[1])
    sent(approver[0], step(version, "approve"), state="ACTIVE", days="7")
    version.refresh_from_db()
    assert version.effective_from is not None
    assert timedelta(days=6) < datetime.now(UTC) - version.effective_from < timedelta(days=8)
    flush()
    assert list(Hit.objects.values_list("transaction_id", flat=True)) == ["OLD"]


@pytest.mark.parametrize("days", ["-1", "1.5", "many", "366", "9" * 40, "１"])
def test_days_that_make_no_sense_are_told_and_kept(
    author: tuple[Client, User], approver: tuple[Client, User], days: str
) -> None:
    version = submitted(author[1])
    response = approver[0].post(step(version, "approve"), {"state": "ACTIVE", "days": days})
    said = markup(response)
    assert "The days must be a whole number from 0 to 365." in plain(said)
    assert f'name="days" value="{days}"' in said
    assert 'value="ACTIVE" checked' in said
    version.refresh_from_db()
    assert version.state == VersionState.SUBMITTED


@pytest.fixture
def approvers(people: list[User]) -> Iterator[list[Client]]:
    yield [member(f"approver {n}", "view", "approve")[0] for n in range(2)]
    connections.close_all()


def test_of_two_approvals_at_once_one_is_told_that_it_came_late(
    approvers: list[Client], author: tuple[Client, User]
) -> None:
    version = submitted(author[1])

    def approve(client: Client) -> str:
        try:
            return sent(client, step(version, "approve"), state="ACTIVE")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(approve, approvers))
    assert sorted("The version is active." in each for each in said) == [False, True]


def test_of_several_drafts_the_newest_has_a_card_and_the_others_a_row(author: tuple[Client, User]) -> None:
    for amount in (5, 6, 7):
        version = drafted(author=author[1], amount=amount)
    path = at("rule_change", version.rule_id)
    said = text_of(author[0], path)
    assert "Version 3 is a draft" in said
    assert "Version 2 is a draft" not in said
    said = text_of(author[0], f"{path}?version=1")
    for number, is_card in ((1, True), (2, False), (3, True)):
        assert (f"Version {number} is a draft" in said) is is_card
    submitted(author[1], amount=8)
    said = text_of(author[0], path)
    assert "Version 4 waits for approval" in said
    assert "Version 3 is a draft" in said


def test_hits_in_shadow_are_counted_apart(
    people: list[User], author: tuple[Client, User], settings: Settings
) -> None:
    settings.FOUR_EYES = False
    shadow = rule_in_force("amount", name="Large", amount=1000, shadow=True)
    store_hits(people)
    said = text_of(author[0], at("rule_change", shadow.rule_id))
    assert "Hits, 7 days 0 " in said
    assert "In shadow 2 in 7 days, 2 in 30: hits without alerts" in said
    assert " 0 (in shadow 2) 0 (in shadow 2) 0 " in text_of(author[0], at("rule_changelist"))


def test_what_is_raised_after_many_hits_in_shadow_is_counted(
    people: list[User], author: tuple[Client, User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FOUR_EYES = False
    monkeypatch.setattr(activity, "COUNTED_MAX", 2)
    version = rule_in_force("amount", name="Large", amount=1000, shadow=True)
    store_hits(people)
    lifecycle.approve(version, None)
    raised = {"happened_at": datetime.now(UTC), "suppressed": Hit.Suppressed.QUIET, "figures": {}}
    Hit.objects.create(version=version, user=people[0].pk, transaction=2**40, **raised)
    assert " 1 (in shadow 2 or more) 1 (in shadow 2 or more) 0 " in text_of(author[0], at("rule_changelist"))
    monkeypatch.setattr(activity, "COUNTED_MAX", 10)
    assert " 1 (in shadow 2) 1 (in shadow 2) 0 " in text_of(author[0], at("rule_changelist"))


def test_versions_that_are_not_listed_any_more_are_compared_by_their_numbers(
    active: Version, author: tuple[Client, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    for amount in (2, 3, 4):
        drafted("amount", author[1], amount=amount)
    monkeypatch.setattr(page, "VERSIONS_MAX", 2)
    path = at("rule_change", active.rule_id)
    assert "Amount 1,000 → 2" in text_of(author[0], f"{path}?old=1&new=2")
    assert "Amount 2 → 4" in text_of(author[0], f"{path}?old=2&new=4")


def test_states_are_said_in_the_same_words_on_the_list_and_on_the_page(
    author: tuple[Client, User], settings: Settings
) -> None:
    settings.FOUR_EYES = False
    version = rule_in_force("amount", amount=5)
    for path in (at("rule_changelist"), at("rule_change", version.rule_id)):
        shown = markup(author[0].get(path))
        for value, text in (("good", "Active"), ("bad", "High")):
            assert f'<span class="pill pill-{value}">{text}</span>' in shown, path


def test_lists_of_users_are_called_so_wherever_they_stand(author: tuple[Client, User]) -> None:
    UserList.objects.create(name="Watched")
    for path in (at("userlist_changelist"), at("userlist_change", UserList.objects.get().pk)):
        said = text_of(author[0], path)
        assert "Lists of customers" in said
        assert "user list" not in said.lower()
