"""What is said of a rule or a list beside its wording: name, severity and description, each checked."""

from typing import Any

from ..encodings import (
    composed,
    hides_something,
    is_text,
    one_line_end,
    shows_nothing,
    shows_something,
    turns_around,
)
from ..severity import Severity
from .kinds.gaps import NAME_MAX
from .models import Rule
from .schema import DESCRIPTION_MAX
from .user_lists import COMMENT_MAX


def checked_severity(given: Any) -> str:
    """A severity from JSON. Raises ValueError, which says what would be one; so do the others."""
    if not isinstance(given, str) or given not in Severity.values:
        raise ValueError(f"the severity must be one of {', '.join(Severity.values)}")
    return given


def checked_name(given: Any) -> str:
    """The name of a rule or a list as it is kept: composed, and without space around it."""
    name = composed(given.strip()) if isinstance(given, str) and given.isprintable() else ""
    if isinstance(given, str) and not given.strip(" "):
        raise ValueError(f"the name is empty: it has 1 to {NAME_MAX} characters")
    if not name or max(len(given), len(name)) > NAME_MAX:
        raise ValueError(f"the name must be a printable text of 1 to {NAME_MAX} characters")
    if not shows_something(name):
        raise ValueError("the name must have a character that is visible")
    if hides_something(name):
        raise ValueError("the name must have no character that shows nothing, like a selector of variants")
    return name


def checked_description(given: Any) -> str:
    """What is said of a rule or a list, its lines ended by LF."""
    return _said(given, "description", DESCRIPTION_MAX)


def checked_comment(given: Any) -> str:
    """What is said of users who are put on a list; "" for nothing."""
    return _said(given, "comment", COMMENT_MAX)


def _said(given: Any, what: str, most: int) -> str:
    """What may be left out, as `encodings.checked_words` judges what may not; the space around it stays."""
    text = one_line_end(given) if isinstance(given, str) else ""
    if not isinstance(given, str) or len(text) > most or not is_text(text):
        raise ValueError(f"the {what} must be a text of at most {most} characters")
    if shows_nothing(text):
        raise ValueError(f"the {what} must have a character that is visible, or be empty")
    if turns_around(text):
        raise ValueError(f"the {what} must have no characters that turn the text around")
    return text


def what_to_do(rule: int) -> str:
    """What a rule says is to be done about a hit, as it is in force; "" where it says nothing or is gone."""
    return Rule.objects.filter(pk=rule).values_list("description", flat=True).first() or ""
