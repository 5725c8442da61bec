"""The components as templates have them: text from outside stays text."""

import pytest
from django.template import Context, Template
from django.utils.html import strip_tags

from transactions.templatetags.components import TAIL


def markup(template: str, **values: object) -> str:
    return Template("{% load components %}" + template).render(Context(values))


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
    assert markup('{% pill "Failed" "FAILED" %}') == '<span class="pill pill-bad" data-sign="✗">Failed</span>'
    assert markup('{% pill "Odd" "NEVER_SEEN" %}') == '<span class="pill pill-none">Odd</span>'
    assert "<b>" not in markup("{% pill text %}", text="<b>")


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
