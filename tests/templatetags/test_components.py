"""The components as templates have them: each says in words what it says by colour."""

import re

import pytest
from django.template import Context, Template
from django.utils.html import strip_tags

from transactions.templatetags.components import TAIL


def markup(template: str, **values: object) -> str:
    return Template("{% load components %}" + template).render(Context(values))


def words(template: str, **values: object) -> str:
    """What is read aloud: without markup, and without what is hidden from who listens."""
    spoken = re.sub(r"<span aria-hidden[^>]*>[^<]*</span>", "", markup(template, **values))
    return " ".join(strip_tags(spoken).split())


@pytest.mark.parametrize(
    ("now", "was", "good", "told", "tone"),
    [
        (118, 150, "up", "down 21 % worse was 150", "bad"),
        (150, 118, "up", "up 27 % better was 118", "good"),
        (5, 4, "down", "up 25 % worse was 4", "bad"),
        (4, 5, "down", "down 20 % better was 5", "good"),
        # More volume is neither.
        (102, 100, "", "up 2 % was 100", "none"),
        (1000, 999, "up", "up 0.1 % better was 999", "good"),
        (100_000, 100_001, "up", "the same was 100001", "none"),
        (250_000, 100, "", "up ×2,500 was 100", "none"),
        (250_000, 100, "up", "up ×2,500 was 100", "none"),
        (0, 0, "up", "was 0", "none"),
        (5, 0, "up", "new, was 0", "none"),
    ],
)
def test_a_change_says_whether_it_is_up_and_whether_that_is_good(
    now: float, was: float, good: str, told: str, tone: str
) -> None:
    text = "{% delta now was good=good against=against %}"
    values = {"now": now, "was": was, "good": good, "against": f"was {was}"}
    assert words(text, **values) == told
    assert f"delta-{tone}" in markup(text, **values)


def test_a_share_changes_by_points() -> None:
    text = '{% delta 0.721 0.953 good="up" points=True against="95.3 %" %}'
    assert words(text) == "down 23 points worse 95.3 %"


def test_where_there_is_nothing_to_compare_with_it_says_so() -> None:
    assert words("{% delta 5 None %}") == "nothing to compare with"


def test_an_id_is_whole_in_one_line_and_its_end_always_stands() -> None:
    shown = markup("{% whole_id id link %}", id="pay_0999999_1a445991", link="/there/")
    assert 'title="pay_0999999_1a445991"' in shown
    assert strip_tags(shown).strip() == "pay_0999999_1a445991"
    assert f"<span>{'pay_0999999_1a445991'[-TAIL:]}</span>" in shown
    assert 'href="/there/"' in shown


@pytest.mark.parametrize("id", ["", "a", "abcdef", "<script>alert(1)</script>"])
def test_an_id_of_any_length_is_text(id: str) -> None:
    shown = markup("{% whole_id id %}", id=id)
    assert "<script" not in shown
    assert strip_tags(shown).strip().replace("&lt;", "<").replace("&gt;", ">") == id


def test_a_pill_has_the_colour_of_its_state() -> None:
    assert markup('{% pill "Failed" "FAILED" %}') == '<span class="pill pill-bad">Failed</span>'
    assert markup('{% pill "Odd" "NEVER_SEEN" %}') == '<span class="pill pill-none">Odd</span>'
    assert "<b>" not in markup("{% pill text %}", text="<b>")


def test_a_sparkline_goes_from_nothing_to_its_most_and_leaves_gaps_out() -> None:
    line = re.search(r'points="([^"]*)"', markup("{% spark values %}", values=[0, None, 5, 10]))
    assert line is not None
    assert line[1] == "0.0,31.0 58.7,16.0 88.0,1.0"


@pytest.mark.parametrize("values", [[], [None], [0], [0, 0]])
def test_a_sparkline_of_nothing_is_drawn_too(values: list[float | None]) -> None:
    assert "<svg" in markup("{% spark values %}", values=values)


def test_a_card_keeps_its_table_its_csv_and_its_link_in_its_menu() -> None:
    menu = 'table="fails-table" csv="/fails.csv" link="/list/"'
    text = f'{{% card title id="fails" {menu} %}}<p>{{{{ inside }}}}</p>{{% endcard %}}'
    shown = markup(text, title="Who <fails>?", inside="<b>")
    head, _, content = shown.partition("</details>")
    assert 'aria-labelledby="fails-title"' in head
    assert "Who &lt;fails&gt;?" in head
    for said in ('aria-controls="fails-table"', 'href="/fails.csv"', 'href="/list/"'):
        assert said in head
    assert "<p>&lt;b&gt;</p>" in content
    assert "<details" not in markup('{% card "A" id="a" %}{% endcard %}')


def test_a_banner_is_an_alert_only_where_something_is_wrong() -> None:
    assert 'role="alert"' in markup('{% banner "PostgreSQL is away." tone="bad" %}')
    assert 'role="status"' in markup('{% banner "Saved." tone="good" %}')
