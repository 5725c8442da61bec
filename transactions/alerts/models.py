"""What PostgreSQL keeps of alerts. Rules are known by number and name: alerts stand below them."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from ..severity import Severity

USER = settings.AUTH_USER_MODEL


class AlertState(models.TextChoices):
    OPEN = "OPEN", "Open"
    IN_REVIEW = "IN_REVIEW", "In review"
    CLOSED = "CLOSED", "Closed"


class Disposition(models.TextChoices):
    """What a closed alert turned out to be."""

    TRUE_POSITIVE = "TRUE_POSITIVE", "True positive"
    FALSE_POSITIVE = "FALSE_POSITIVE", "False positive"
    EXPECTED = "EXPECTED", "Expected of this customer"
    DUPLICATE = "DUPLICATE", "Duplicate"


class Alert(models.Model):
    """The hits of one rule for one user, from the first until somebody closes it.

    What is known of the rule and the user is a copy: both may be gone later. A rule that looks at the
    whole system has no user.
    """

    rule = models.BigIntegerField()
    rule_name = models.CharField(max_length=100)
    severity = models.CharField(max_length=10, choices=Severity)
    user = models.BigIntegerField(null=True, blank=True)
    state = models.CharField(
        max_length=10, choices=AlertState, default=AlertState.OPEN, db_default=AlertState.OPEN
    )
    opened_at = models.DateTimeField(db_default=Now())
    # By when somebody has to have dealt with it; see `grouping.DUE_HOURS`.
    due_at = models.DateTimeField(null=True, blank=True)
    assignee = models.ForeignKey(USER, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        USER, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    disposition = models.CharField(max_length=20, choices=Disposition, blank=True, default="", db_default="")
    reason = models.CharField(max_length=1000, blank=True, default="", db_default="")
    # When the last hit joined it.
    touched_at = models.DateTimeField(db_default=Now())
    hits = models.BigIntegerField(db_default=0)
    # Hits that came while it was closed for less than the quiet time.
    suppressed = models.BigIntegerField(db_default=0)
    # Counts the changes by people: who changes an older one than there is, is told.
    version = models.IntegerField(db_default=1)

    class Meta:
        constraints = [
            # What a hit joins; the last word against two alerts for one thing.
            models.UniqueConstraint(
                fields=["rule", "user"],
                name="alert_open_once",
                condition=~models.Q(state=AlertState.CLOSED),
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=models.Q(state__in=AlertState.values), name="alert_state_known"),
            models.CheckConstraint(
                condition=models.Q(state=AlertState.CLOSED, closed_at__isnull=False)
                | (~models.Q(state=AlertState.CLOSED) & models.Q(closed_at=None)),
                name="alert_closed_at_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(disposition__in=["", *Disposition.values]), name="alert_disposition_known"
            ),
            models.CheckConstraint(
                condition=models.Q(disposition="") | models.Q(state=AlertState.CLOSED),
                name="alert_disposed_of_is_closed",
            ),
        ]
        indexes = [
            # Whether one was closed lately.
            models.Index(fields=["user", "rule", "closed_at"], name="alert_by_user"),
            # Those of a user, and of the whole system, the newest first.
            models.Index(fields=["user", "opened_at", "id"], name="alert_of_user"),
            # The queue: what is not closed, newest first.
            models.Index(
                fields=["opened_at", "id"],
                name="alert_in_queue",
                condition=~models.Q(state=AlertState.CLOSED),
            ),
            # All alerts, newest first.
            models.Index(fields=["opened_at", "id"], name="alert_by_time"),
            # The queue of one severity.
            models.Index(
                fields=["severity", "opened_at", "id"],
                name="alert_by_severity",
                condition=~models.Q(state=AlertState.CLOSED),
            ),
            # Those of a rule, closed ones too; those of a disposition.
            models.Index(fields=["rule", "opened_at", "id"], name="alert_by_rule"),
            models.Index(
                fields=["disposition", "opened_at", "id"],
                name="alert_by_disposition",
                condition=models.Q(state=AlertState.CLOSED),
            ),
            # What is overdue.
            models.Index(
                fields=["due_at"], name="alert_by_due", condition=~models.Q(state=AlertState.CLOSED)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_name}: customer {self.user}" if self.user is not None else self.rule_name


class Snooze(models.Model):
    """No alerts of one rule for one user until an end; hits are kept and counted all the same."""

    rule = models.BigIntegerField()
    user = models.BigIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=200)
    # The reviewed alert from which it was asked for.
    alert = models.ForeignKey(Alert, null=True, on_delete=models.SET_NULL, related_name="snoozes")
    made_by = models.ForeignKey(USER, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField(db_default=Now())
    ends_at = models.DateTimeField()
    # Who ended it before its time.
    ended_by = models.ForeignKey(
        USER, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    hits = models.BigIntegerField(db_default=0)

    class Meta:
        indexes = [
            models.Index(fields=["rule", "user", "ends_at"], name="snooze_by_rule"),
            # The list, by when they end.
            models.Index(fields=["ends_at", "id"], name="snooze_by_end"),
        ]

    def __str__(self) -> str:
        return f"rule {self.rule}, customer {self.user} until {self.ends_at:%Y-%m-%d %H:%M}"


class Step(models.TextChoices):
    """What was done with an alert, by somebody but for the last."""

    CLAIMED = "CLAIMED", "Claimed"
    ASSIGNED = "ASSIGNED", "Assigned"
    RELEASED = "RELEASED", "Released"
    NOTED = "NOTED", "Noted"
    CLOSED = "CLOSED", "Closed"
    REOPENED = "REOPENED", "Reopened"
    SNOOZED = "SNOOZED", "Snoozed"
    WOKEN = "WOKEN", "Snooze ended"
    UNDONE = "UNDONE", "Undone"
    # By no person: hits of a graver version of its rule joined it.
    GRAVER = "GRAVER", "Made graver"


class AlertEvent(models.Model):
    """One step of somebody with an alert: who, when, what; what was before, so that it can be undone."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="events", db_index=False)
    step = models.CharField(max_length=10, choices=Step)
    by = models.ForeignKey(USER, null=True, on_delete=models.SET_NULL, related_name="+")
    # The name by then: an account may be gone later.
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField(db_default=Now())
    # A note, a reason, or whom it was given to.
    text = models.CharField(max_length=1000, blank=True, default="", db_default="")
    # Until when a snooze was to last.
    until = models.DateTimeField(null=True)
    # The alert's own fields before the step; none where nothing of them changed.
    before = models.JSONField(null=True)
    # The alert's version after it.
    version = models.IntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(step__in=Step.values), name="alert_event_step_known")
        ]
        indexes = [models.Index(fields=["alert", "id"], name="alert_event_by_alert")]

    def __str__(self) -> str:
        return f"{self.get_step_display()} by {self.by_name}"
