"""What the pages are made of is used: each component's tag and template, each class of our stylesheets."""

import re
from collections.abc import Iterator
from pathlib import Path

import django.contrib.admin
import drf_spectacular_sidecar
import unfold

from tests.support.serving import ROOT
from transactions.templatetags.components import register

PAGES = ROOT / "transactions"
COMPONENTS = PAGES / "templates/transactions/components"
STYLES = PAGES / "static/transactions"
# Whose markup our stylesheets lay out too.
OTHERS = [Path(django.contrib.admin.__file__).parent, Path(unfold.__file__).parent]
SWAGGER = Path(drf_spectacular_sidecar.__file__).parent
WORD = re.compile(r"[A-Za-z_][\w-]*")


def _texts(root: Path, *endings: str) -> str:
    return "\n".join(path.read_text() for ending in endings for path in sorted(root.rglob(f"*.{ending}")))


def _classes(stylesheet: Path) -> set[str]:
    """The classes in a stylesheet's selectors."""
    text = re.sub(r"/\*.*?\*/", "", stylesheet.read_text(), flags=re.DOTALL)
    return set(re.findall(r"\.(-?[A-Za-z_][\w-]*)", re.sub(r"\{[^{}]*\}", "{}", text)))


def _ends(name: str) -> Iterator[tuple[str, str]]:
    """Where a class may be put together: what stands before each hyphen, and after it."""
    for hyphen in re.finditer("-", name):
        yield name[: hyphen.end()], name[hyphen.end() :]


def test_each_component_is_on_a_page() -> None:
    templates, code = _texts(PAGES / "templates", "html"), _texts(PAGES, "py")
    assert register.tags
    unused = [name for name in register.tags if not re.search(rf"{{% {name}\b", templates)]
    unused += [name for name in register.filters if not re.search(rf"\|{name}\b", templates)]
    unused += [
        path.name
        for path in sorted(COMPONENTS.glob("*.html"))
        if f"components/{path.name}" not in templates + code
    ]
    assert unused == []


def test_each_class_of_a_stylesheet_is_that_of_something() -> None:
    """A class may end in what is known only when the page is made; Django names columns as our code does."""
    written = _texts(PAGES, "html", "js")
    others = "".join(_texts(root, "html", "py") for root in OTHERS)
    columns = set(WORD.findall(_texts(PAGES / "admin_site", "py")))

    def is_used(name: str, text: str, words: set[str]) -> bool:
        return name in words or any(
            re.search(re.escape(begins) + r"(\{\{|\{%|\$\{|\")", text)
            or (begins in ("column-", "field-") and ends in columns)
            for begins, ends in _ends(name)
        )

    sheets, unused = sorted(STYLES.rglob("*.css")), []
    assert len(sheets) > 10
    for sheet in sheets:
        text = written + (_texts(SWAGGER, "js") if sheet.name == "docs.css" else others)
        words = set(WORD.findall(text))
        unused += [f"{sheet.name}: {name}" for name in _classes(sheet) if not is_used(name, text, words)]
    assert sorted(unused) == []
