"""What PostgreSQL keeps of alerts. Rules are known by number and name: alerts stand below them."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Severity(models.TextChoices):
    LOW = "LOW", "Low"
    MEDIUM = "MEDIUM", "Medium"
    HIGH = "HIGH", "High"
    CRITICAL = "CRITICAL", "Critical"


class AlertState(models.TextChoices):
    OPEN = "OPEN", "Open"
    IN_REVIEW = "IN_REVIEW", "In review"
    CLOSED = "CLOSED", "Closed"


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
    closed_at = models.DateTimeField(null=True, blank=True)
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
        ]
        indexes = [
            # Whether one was closed lately; the alerts of a user.
            models.Index(fields=["user", "rule", "closed_at"], name="alert_by_user"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_name}: user {self.user}" if self.user is not None else self.rule_name


class Snooze(models.Model):
    """No alerts of one rule for one user until an end; hits are kept and counted all the same."""

    rule = models.BigIntegerField()
    user = models.BigIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=200)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    made_at = models.DateTimeField(db_default=Now())
    ends_at = models.DateTimeField()
    hits = models.BigIntegerField(db_default=0)

    class Meta:
        indexes = [models.Index(fields=["rule", "user", "ends_at"], name="snooze_by_rule")]

    def __str__(self) -> str:
        return f"rule {self.rule}, user {self.user} until {self.ends_at:%Y-%m-%d %H:%M}"
