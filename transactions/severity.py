"""How grave an alert is: of rules, which say it of theirs, of alerts, and of what is told of them."""

from django.db import models


class Severity(models.TextChoices):
    """From the least on."""

    LOW = "LOW", "Low"
    MEDIUM = "MEDIUM", "Medium"
    HIGH = "HIGH", "High"
    CRITICAL = "CRITICAL", "Critical"


GRAVEST_FIRST = tuple(reversed(Severity.values))


def gravity(severity: str) -> int:
    """By which severities are compared, 0 for the least. Raises ValueError for a text that is none."""
    return Severity.values.index(severity)
