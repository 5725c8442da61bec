"""The documents that come with the project, as pages show them: whoever is on call reads the runbook."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

_OF_OURS = re.compile(r"(?P<name>[a-z-]+)\.md(?P<section>#.*)?")
_ELSEWHERE = ("https://", "http://", "#")
# Of a heading's text what its anchor leaves out.
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")


class DocumentSection(NamedTuple):
    anchor: str
    title: str


class ProjectDocument(NamedTuple):
    """A document: its title, the rest as markup, and its sections."""

    title: str
    body: SafeString
    sections: list[DocumentSection]


def anchor(heading: str) -> str:
    """What a link to a section has behind its #: as where the source is read."""
    return _NOT_IN_ANCHOR.sub("", heading.lower()).replace(" ", "-")


def link(name: str, heading: str = "") -> str:
    """Where a document is shown, at one of its sections; "" where it did not come with this installation."""
    if not _file(name).is_file():
        return ""
    return reverse("document", args=[name]) + (f"#{anchor(heading)}" if heading else "")


@lru_cache(maxsize=32)
def document(name: str) -> ProjectDocument | None:
    """The document of that name; None where there is none."""
    file = _file(name)
    if not file.is_file():
        return None
    # Nobody writes markup into it, and what looks like it is text.
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    for kind, markup in _DRAWN.items():
        markdown.renderer.rules[kind] = markup  # type: ignore[attr-defined]
    tokens = markdown.parse(file.read_text())
    title, sections = name, []
    for place, token in enumerate(tokens):
        if token.type == "inline":
            _lead_to_pages(token.children or [])
            _tell_pictures(token.children or [])
        if token.type != "heading_open":
            continue
        heading = _text(tokens[place + 1].children or [])
        token.attrSet("id", anchor(heading))
        if token.tag == "h1":
            title = heading
        elif token.tag == "h2":
            sections.append(DocumentSection(anchor(heading), heading))
    # The page has its title at its head.
    body = tokens[3:] if tokens and tokens[0].tag == "h1" else tokens
    return ProjectDocument(title, mark_safe(markdown.renderer.render(body, markdown.options, {})), sections)


def _file(name: str) -> Path:
    return Path(settings.BASE_DIR) / "docs" / f"{name}.md"


def _text(children: Sequence[Token]) -> str:
    return "".join(child.content for child in children if child.type in ("text", "code_inline"))


def _lead_to_pages(children: Sequence[Token]) -> None:
    """Links to documents lead to their pages; of a link to what is in the source alone its words stay."""
    is_dead = False
    for child in children:
        if child.type == "link_open":
            there = _there(str(child.attrGet("href") or ""))
            is_dead = not there
            child.attrSet("href", there)
        if is_dead and child.type in ("link_open", "link_close"):
            child.type, child.content = "text", ""


def _tell_pictures(children: Sequence[Token]) -> None:
    """Of a picture its words stay."""
    for child in children:
        if child.type == "image":
            child.type = "text"


def _there(href: str) -> str:
    if href.startswith(_ELSEWHERE):
        return href
    found = _OF_OURS.fullmatch(href)
    there = link(found["name"]) if found else ""
    return there and there + ((found and found["section"]) or "")


def _drawn(markup: str) -> Callable[..., str]:
    return lambda tokens, place, options, environment: markup


def _code(tokens: Sequence[Token], place: int, *_: Any) -> str:
    return format_html('<pre class="code" tabindex="0">{}</pre>', tokens[place].content)


# What is wide scrolls by itself, by keys too.
_DRAWN: dict[str, Callable[..., str]] = {
    "table_open": _drawn(
        '<div class="scrolls" tabindex="0" role="region" aria-label="Table"><table class="plain">'
    ),
    "table_close": _drawn("</table></div>"),
    "fence": _code,
    "code_block": _code,
}
