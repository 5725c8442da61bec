"""What the page of a rule says of who wrote a version, and of who approves it."""

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from tests.support.rule_pages import at, member, submitted, text_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_page_says_where_an_author_may_approve_alone(settings: Settings) -> None:
    alone = "You wrote it. Here one person alone may approve what they wrote (FOUR_EYES is off)."
    settings.FOUR_EYES = False
    both, user = member("both", "view", "change", "approve")
    path = at("rule_change", submitted(user).rule_id)
    assert alone in text_of(both, path)
    assert alone not in text_of(member("bea", "view", "approve")[0], path)


def test_who_wrote_a_version_is_left_out_where_nobody_is_known(people: list[User]) -> None:
    said = text_of(member("bea", "view")[0], at("rule_change", submitted().rule_id))
    assert "nobody known" not in said
    assert "An amount · written, " in said
