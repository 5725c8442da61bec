"""The components that take more than markup, for `{% load components %}`.

Each is one template of `transactions/templates/transactions/components/`; what arrives later is made alike by
`transactions/static/transactions/looks/components.js`.
"""

import re
import shlex
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# Characters of an id that always stand, at its end: what tells ids of one source apart.
TAIL = 6
# From so many per cent more on a figure is told by how many times as much it is.
TIMES_FROM = 900
# The box of a sparkline, in units of its own.
SPARK_WIDTH, SPARK_HEIGHT = 88, 32

# The colour of what has a name of its own.
TONES = {
    "SUCCESS": "good", "FAILED": "bad", "PENDING": "info",
    "CRITICAL": "worst", "HIGH": "bad", "MEDIUM": "warn", "LOW": "none",
    "ACTIVE": "good", "DONE": "good", "ON": "good", "SHADOW": "info", "RUNNING": "info", "WAITS": "info",
    "SUBMITTED": "warn", "QUEUED": "warn", "OWES": "warn", "FAILS": "bad", "OFF": "bad",
}  # fmt: skip


# A status as people say it.
STATUS_WORDS = {"PENDING": "Pending", "SUCCESS": "Succeeded", "FAILED": "Failed"}


# What tells a status without its colour; looks/components.js has the same.
SIGNS = {"PENDING": "◔", "SUCCESS": "✓", "FAILED": "✗"}


@register.filter
def status_word(status: str) -> str:
    """A transaction's status as people say it; a dash where there is none."""
    return STATUS_WORDS.get(status, status or "–")


# Marks that turn the direction of writing, or cannot be seen.
UNSEEN = re.compile("[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


@register.filter
def visible(text: object) -> str:
    """A text from outside; what turns the direction of writing, or is not seen, by its number."""
    return UNSEEN.sub(lambda mark: f"⟨{ord(mark[0]):04X}⟩", str(text))


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
    shown = str(text)
    cut = max(len(shown) - TAIL, 0)
    return {"text": shown, "head": shown[:cut], "tail": shown[cut:], "link": link}


@register.inclusion_tag("transactions/components/delta.html")
def delta(
    now: Decimal | float | None,
    was: Decimal | float | None,
    good: str = "",
    against: str = "",
    points: bool = False,
) -> dict[str, object]:
    """How a figure changed: `good` is "up" or "down", empty where neither is; `against` says what `was` is.

    A share (`points`) changes by points of a hundred, anything else by a share of what it was.
    """
    change = _change(now, was, points)
    if change is None:
        is_new = not points and now and was is not None
        return {
            "against": f"new, {against}"
            if is_new and against
            else "new"
            if is_new
            else against or "nothing to compare with"
        }
    rounded = round(change, 1 if abs(change) < 10 else 0)
    unit = "points" if points else "%"
    if not rounded:
        return {"sign": "=", "amount": "the same", "tone": "none", "against": against}
    up = rounded > 0
    if not good:
        tone, sign, word = "none", "△" if up else "▽", ""
    else:
        better = up == (good == "up")
        tone, sign, word = "good" if better else "bad", "▲" if up else "▼", "better" if better else "worse"
    return {
        "sign": sign,
        "amount": _times(change, points)
        or f"{abs(rounded):,.{1 if abs(change) < 10 else 0}f} {unit}".replace(".0 ", " "),
        "direction": "up" if up else "down",
        "word": word,
        "tone": tone,
        "against": against,
    }


def _times(change: float, points: bool) -> str:
    """What has become many times as much is said so: nobody reads thousands of per cent."""
    return "" if points or change < TIMES_FROM else f"{change / 100 + 1:,.0f} times as much"


def _change(now: Decimal | float | None, was: Decimal | float | None, points: bool) -> float | None:
    """In points, or in per cent of what was; None where there is nothing to compare."""
    if now is None or was is None or (not points and not was):
        return None
    return 100 * (float(now) - float(was)) if points else 100 * (float(now) / float(was) - 1)


@register.inclusion_tag("transactions/components/spark.html")
def spark(values: Sequence[float | None], tone: str = "") -> dict[str, object]:
    """How a figure went, from left to right, between nothing and its most; None is where there is none."""
    most = max((value for value in values if value is not None), default=0) or 1
    step = SPARK_WIDTH / max(len(values) - 1, 1)
    points = [
        f"{place * step:.1f},{SPARK_HEIGHT - 1 - (SPARK_HEIGHT - 2) * max(value, 0) / most:.1f}"
        for place, value in enumerate(values)
        if value is not None
    ]
    line = " ".join(points)
    area = ""
    if len(points) > 1:
        first, last = points[0].partition(",")[0], points[-1].partition(",")[0]
        area = f"M{first},{SPARK_HEIGHT} L{' L'.join(points)} L{last},{SPARK_HEIGHT} Z"
    return {"line": line, "area": area, "tone": tone, "width": SPARK_WIDTH, "height": SPARK_HEIGHT}


@register.simple_tag
def manage(words: str) -> str:
    """A command of manage.py for the run that shows it, as a shell takes it where the code is."""
    directory = Path(settings.DATA_DIR)
    own = "" if directory == settings.BASE_DIR / ".local" else f"DATA_DIR={shlex.quote(str(directory))} "
    return f"{own}.venv/bin/python manage.py {words}"


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


@register.inclusion_tag("transactions/components/banner.html")
def banner(
    text: str, tone: str = "warn", lead: str = "", link: str = "", link_text: str = ""
) -> dict[str, str]:
    """The one sentence on what is wrong; `lead` is its beginning, in bold, and `link` the way to it."""
    return {"text": text, "tone": tone, "lead": lead, "link": link, "link_text": link_text}
