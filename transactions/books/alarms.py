"""Alarms: data that vanished or went back in time, shown until an operator acknowledges it."""

from django.db.models import QuerySet
from django.utils import timezone

from ..models import Epoch


def open_alarms() -> QuerySet[Epoch]:
    """The epochs whose alarm nobody has acknowledged, oldest first."""
    return Epoch.objects.exclude(alarm="").filter(alarm_acknowledged_at=None).order_by("opened_at")


def acknowledge(epochs: QuerySet[Epoch]) -> int:
    """Notes that an operator has seen the alarms of `epochs`; returns how many were open until now."""
    unseen = epochs.exclude(alarm="").filter(alarm_acknowledged_at=None)
    return unseen.update(alarm_acknowledged_at=timezone.now())
