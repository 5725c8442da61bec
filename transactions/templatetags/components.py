"""The components that take more than markup, for `{% load components %}`.

Each is one template of `transactions/templates/transactions/components/`; what arrives later is made alike by
`transactions/static/transactions/looks/components.js`.
"""

import json
import re
import shlex
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from django import template
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.db.models import Model
from django.db.models.options import Options
from django.template import RequestContext
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from .. import money
from ..encodings import JOINED_RANGES, PICTURE_RANGES, UNSEEN, UNSEEN_RANGES, with_numbers
from ..models import Status
from ..timezones import on_page

register = template.Library()

# Characters of an id that always stand, at its end: what tells ids of one source apart.
TAIL = 6

# The colour of what has a name of its own.
TONES = {
    "SUCCESS": "good", "FAILED": "bad", "PENDING": "info",
    "CRITICAL": "worst", "HIGH": "bad", "MEDIUM": "warn", "LOW": "none",
    "ACTIVE": "good", "DONE": "good", "ON": "good", "SHADOW": "info", "RUNNING": "info", "WAITS": "info",
    "SUBMITTED": "warn", "QUEUED": "warn", "OWES": "warn", "FAILS": "bad", "OFF": "bad",
}  # fmt: skip


# What tells a status without its colour; looks/components.js has the same.
SIGNS = {"PENDING": "◔", "SUCCESS": "✓", "FAILED": "✗"}


@register.filter
def status_word(status: str) -> str:
    """A transaction's status as people say it; a dash where there is none."""
    return str(Status(status).label) if status in Status else status or "–"


@register.filter
def visible(text: object) -> str:
    """A text from outside; what turns the direction of writing, or is not seen, by its number.

    Markup stays markup, so that `{% filter visible %}` may stand around what the theme draws.
    """
    shown = with_numbers(str(text))
    return mark_safe(shown) if isinstance(text, SafeString) else shown


# The name of a cell's column, before it on a phone.
LABEL = re.compile(r'(?<=data-label=")[a-z]')


@register.filter
def labels_as_heads(drawn: SafeString) -> SafeString:
    """A list as the theme draws it, its cells' labels written as the heads of columns are: "Last used"."""
    return mark_safe(LABEL.sub(lambda letter: letter[0].upper(), drawn))


@register.filter
def contents_for(field: Any, user: AbstractUser | AnonymousUser) -> object:
    """What the theme shows of a field that nobody changes; what it refers to is a link for who may see it."""
    _, _, value = field.resolved_field or (None, None, None)
    if isinstance(value, Model):
        name = f"{value._meta.app_label}.%s_{value._meta.model_name}"
        if not (user.has_perm(name % "view") or user.has_perm(name % "change")):
            return str(value)
    return field.contents()


@register.simple_tag(takes_context=True)
def list_of(context: RequestContext, opts: "Options[Any]") -> str:
    """The list of a model in the admin; "" where it does not open for who looks."""
    if not admin.site.get_model_admin(opts.model).has_view_or_change_permission(context["request"]):
        return ""
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")


@register.filter
def visible_json(text: str) -> str:
    """JSON whose unseen marks are escaped, so that it is the same when it is copied."""
    return UNSEEN.sub(lambda mark: json.dumps(mark[0])[1:-1], text)


@register.simple_tag
def ranges_of(name: Literal["unseen", "pictures", "joined"]) -> str:
    """What `encodings` goes by, for scripts, whose `visible` is alike: the ends of ranges, in hexadecimal."""
    ranges = {"unseen": UNSEEN_RANGES, "pictures": PICTURE_RANGES, "joined": JOINED_RANGES}[name]
    return " ".join(f"{first:x}-{last:x}" for first, last in ranges)


@register.filter(expects_localtime=True)
def in_zone(moment: datetime, to_the: Literal["minutes", "seconds"] = "seconds") -> str:
    """A moment in the viewer's zone, which stands at the top of the page: 2026-01-31 23:59:59."""
    return on_page(moment, to_the)


@register.filter
def percent(share: float, digits: int = 0) -> str:
    """A share of one as percent, as scripts write it too; no end of a line breaks it apart: 18 %."""
    return f"{100 * share:.{digits}f}".removesuffix(".0") + "\u00a0%"


@register.filter(name="money")
def as_money(smallest: int | Decimal | str | None) -> str:
    """An amount of the smallest unit as its viewer reads it, with the currency; a dash for none."""
    return "–" if smallest is None or smallest == "" else money.text(Decimal(smallest))


@register.simple_tag
def money_unit() -> str:
    """What stands at a column of amounts: the currency, or that they are in the smallest unit."""
    return money.unit()


@register.simple_tag
def smallest_unit() -> str:
    """What follows the name of an amount that is shown without a currency, and nothing where there is one."""
    return money.unit_note()


@register.simple_tag
def money_attributes() -> SafeString:
    """The currency, its decimals and the viewer's locale for scripts; without one the first two are empty."""
    return format_html(
        'data-currency="{}" data-decimals="{}" data-locale="{}"',
        money.code() or "",
        "" if money.decimals() is None else money.decimals(),
        money.tag(money.active_locale()),
    )


@register.inclusion_tag("transactions/components/pill.html")
def pill(text: object, state: object = "") -> dict[str, object]:
    """A state by its word: `state` is one of TONES, or a tone itself (good, bad, worst, warn, info, none)."""
    tone = TONES.get(str(state).upper(), str(state))
    sign = SIGNS.get(str(state).upper(), "")
    return {"text": text, "tone": tone if tone in TONES.values() else "none", "sign": sign}


def drawn_pill(text: object, state: object = "") -> SafeString:
    """The same for a column of a list, which takes no template."""
    return render_to_string("transactions/components/pill.html", pill(text, state))


@register.inclusion_tag("transactions/components/id.html")
def whole_id(text: object, link: str = "") -> dict[str, object]:
    """An id in one line: where it does not fit its middle gives way. The whole is its title and is copied."""
    shown = visible(text)
    cut = max(len(shown) - TAIL, 0)
    return {"text": str(text), "head": shown[:cut], "tail": shown[cut:], "link": link}


@register.simple_tag
def manage(words: str) -> str:
    """A command of manage.py for the run that shows it, as a shell takes it where the code is."""
    directory = Path(settings.DATA_DIR)
    own = "" if directory == settings.BASE_DIR / ".local" else f"DATA_DIR={shlex.quote(str(directory))} "
    return f"{own}.venv/bin/python manage.py {words}"


@register.simple_block_tag
def chosen_bar(content: str) -> SafeString:
    """The bar for the chosen rows of a list, around its buttons; in the list's form, below the rows."""
    return render_to_string("transactions/components/chosen.html", {"content": mark_safe(content)})


@register.simple_block_tag
def card(
    content: str,
    title: str,
    id: str,
    note: str = "",
    table: str = "",
    csv: str | bool = "",
    link: str = "",
    link_text: str = "",
    kind: str = "",
) -> SafeString:
    """A card around what stands before `{% endcard %}`. Its `title` says its question, its `id` names it.

    `note` stands beside the title, in grey. In its menu are `table` (the id of what is shown as a table),
    `csv` (a URL, or True for a button that a script knows by its class) and `link` with `link_text`; `kind`
    is a class more.
    """
    shown = {
        "content": mark_safe(content), "title": title, "id": id, "note": note, "table": table, "csv": csv,
        "link": link, "link_text": link_text, "kind": kind,
    }  # fmt: skip
    return mark_safe(render_to_string("transactions/components/card.html", shown))
