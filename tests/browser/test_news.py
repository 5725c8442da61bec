"""What comes again and again changes a page only where it is news: keys, marked text and readers stay."""

from itertools import permutations

import pytest
from django.templatetags.static import static
from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)

# A list is made of things by their names, one of them gets the focus, and the list is made anew: what it says
# then, and what has the focus.
RENEWED = """async ([module, before, held, after]) => {
  const { renew } = await import(module);
  const section = document.createElement("section"), list = document.createElement("ul");
  const itemsOf = (names) => names.map((name) => {
    const item = document.createElement("li"), button = document.createElement("button");
    item.dataset.name = name;
    button.textContent = name;
    item.append(button);
    return item;
  });
  section.append(list);
  document.body.append(section);
  renew(list, itemsOf(before));
  list.querySelector(`[data-name=${held}] button`).focus();
  renew(list, itemsOf(after));
  const here = document.activeElement;
  const told = [[...list.children].map((item) => item.textContent), here === section ? "" : here.textContent];
  section.remove();
  return told;
}"""


def test_a_key_stays_on_what_it_is_on_wherever_that_comes_to_stand(page: Page, server: str) -> None:
    page.goto(f"{server}/admin/login/")
    module = static("transactions/looks/news.js")
    before = list("abcd")
    orders = [list(order) for count in (2, 4) for order in permutations("abcde", count)]
    for after in orders:
        for held in before:
            told = page.evaluate(RENEWED, [module, before, held, after])
            assert told == [after, held if held in after else ""], (held, after)


def test_marked_text_stays_marked_while_what_is_around_it_changes(page: Page, server: str) -> None:
    page.goto(f"{server}/admin/login/")
    marked = page.evaluate(
        """async (module) => {
          const { renew } = await import(module);
          const place = document.createElement("p");
          const partsOf = (before, after) => [before, "to be copied", after].map((text, number) => {
            const part = document.createElement("span");
            part.dataset.part = number;
            part.textContent = text;
            return part;
          });
          document.body.append(place);
          renew(place, partsOf("5 s ago", "1"));
          getSelection().selectAllChildren(place.children[1]);
          renew(place, partsOf("10 s ago", "2").reverse());
          return [place.textContent, String(getSelection())];
        }""",
        static("transactions/looks/news.js"),
    )
    assert marked == ["2to be copied10 s ago", "to be copied"]
