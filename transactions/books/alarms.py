"""Alarms: data that vanished or went back in time, shown until an operator acknowledges it."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ..audit.actions import Action
from ..audit.entries import note
from ..models import Epoch


def open_alarms() -> QuerySet[Epoch]:
    """The epochs whose alarm nobody has acknowledged, oldest first."""
    return Epoch.objects.exclude(alarm="").filter(alarm_acknowledged_at=None).order_by("opened_at")


def acknowledge(epochs: QuerySet[Epoch]) -> int:
    """Notes that an operator has seen the alarms of `epochs`; returns how many were open until now."""
    unseen = epochs.exclude(alarm="").filter(alarm_acknowledged_at=None).order_by("opened_at")
    with transaction.atomic():
        found = list(unseen.select_for_update())
        for epoch in found:
            note(Action.ALARM_ACKNOWLEDGED, epoch, alarm=epoch.alarm)
        keys = [epoch.pk for epoch in found]
        return Epoch.objects.filter(pk__in=keys).update(alarm_acknowledged_at=timezone.now())
