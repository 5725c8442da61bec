"""What comes again and again changes a page only where it is news: keys, marked text and readers stay."""

from itertools import permutations

import pytest
from django.templatetags.static import static
from playwright.sync_api import Page, Route

from tests.browser.conftest import Watched

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


def test_what_is_new_in_a_long_list_is_found_by_looking_at_each_once(page: Page, server: str) -> None:
    page.goto(f"{server}/admin/login/")
    looks = page.evaluate(
        """async (module) => {
          const { renew } = await import(module);
          const list = document.createElement("ul");
          const itemsOf = (first) => Array.from({ length: 300 }, (_, number) => {
            const item = document.createElement("li");
            item.dataset.day = first + number;
            return item;
          });
          renew(list, itemsOf(0));
          const told = JSON.stringify;
          let looks = 0;
          JSON.stringify = (...given) => { looks += 1; return told(...given); };
          renew(list, itemsOf(200));
          JSON.stringify = told;
          return looks;
        }""",
        static("transactions/looks/news.js"),
    )
    assert looks == 2 * 300


def test_an_answer_that_a_page_cannot_show_is_not_the_last_that_it_asks_for(
    page: Page, server: str, watched: Watched
) -> None:
    watched.expected = ["of a newer release"]
    page.goto(f"{server}/admin/login/")
    page.evaluate(
        """async (module) => {
          const { poll } = await import(module);
          window.told = 0;
          poll(location.href, () => {
            window.told += 1;
            if (window.told === 1) throw new Error("of a newer release");
          }, () => {}, { every: 0.05, read: String });
        }""",
        static("transactions/looks/asking.js"),
    )
    page.wait_for_function("told > 1")


def test_names_that_are_not_told_in_time_are_asked_for_again(page: Page, server: str) -> None:
    page.goto(f"{server}/admin/login/")
    asked: list[Route] = []

    def answer(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.fulfill(json={"names": {"7": "alice"}})

    page.route("**/names/**", answer)
    page.evaluate(
        """async (module) => {
          const within = AbortSignal.timeout.bind(AbortSignal);
          AbortSignal.timeout = () => within(100);
          const { Names } = await import(module);
          window.names = new Names("/names/", () => {});
        }""",
        static("transactions/dashboard/names.js"),
    )
    page.wait_for_function("names.of(7) === 'alice'")
    assert len(asked) == 2
