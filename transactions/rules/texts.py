"""What is said of a rule or a list beside its wording: name, severity and description, each checked."""

import re
from typing import Any

from ..alerts.models import Severity
from .kinds.gaps import NAME_MAX
from .schema import DESCRIPTION_MAX


def checked_severity(given: Any) -> str:
    """A severity from JSON. Raises ValueError, which says what would be one; so do the next two."""
    if not isinstance(given, str) or given not in Severity.values:
        raise ValueError(f"the severity must be one of {', '.join(Severity.values)}")
    return given


def checked_name(given: Any) -> str:
    """The name of a rule or a list, without space around it."""
    name = given.strip() if isinstance(given, str) and given.isprintable() else ""
    if not name or len(given) > NAME_MAX:
        raise ValueError(f"the name must be a printable text of 1 to {NAME_MAX} characters")
    return name


def checked_description(given: Any) -> str:
    """What is said of a rule or a list."""
    if not isinstance(given, str) or len(given) > DESCRIPTION_MAX or re.search("[\0\ud800-\udfff]", given):
        raise ValueError(f"the description must be a text of at most {DESCRIPTION_MAX} characters")
    return given
