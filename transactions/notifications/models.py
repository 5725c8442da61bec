"""What PostgreSQL keeps of being told: the outbox, where messages go, what became of each, alarms."""

from typing import Any

from django.conf import settings
from django.contrib.postgres.functions import RandomUUID
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models.functions import Lower, Now

from ..severity import GRAVEST_FIRST, Severity

USER = settings.AUTH_USER_MODEL
URL_CHARACTERS_MAX = 500
# An endpoint to which nothing got through for so many days is switched off.
FAILING_DAYS_MAX = 5


class MessageType(models.TextChoices):
    ALERT_OPENED = "alert.opened", "Alert opened"
    ALERT_UPDATED = "alert.updated", "Alert updated"
    ALERT_ASSIGNED = "alert.assigned", "Alert assigned"
    ALERT_CLOSED = "alert.closed", "Alert closed"
    RULE_ACTIVATED = "rule.activated", "Rule activated"
    SYSTEM_ALARM = "system.alarm", "System alarm"
    SYSTEM_RECOVERED = "system.recovered", "System recovered"
    WEBHOOK_TEST = "webhook.test", "Test message"


# What an endpoint may choose among; a test message goes where it is asked for.
TYPES = tuple(each.value for each in MessageType if each != MessageType.WEBHOOK_TEST)


class Message(models.Model):
    """One message of the outbox, written in the transaction of what it tells.

    Its place in the order of all is given later, to what is committed: see `numbering`.
    """

    # By which receivers know a message that comes twice; `webhook-id` is this with "msg_" before it.
    key = models.UUIDField(db_default=RandomUUID(), unique=True, editable=False)
    type = models.CharField(max_length=20, choices=MessageType)
    data = models.JSONField()
    # Of whatever it tells; empty where it has none.
    severity = models.CharField(max_length=10, blank=True, default="", db_default="")
    # The alert that it is about, so that news of one can be put together.
    alert = models.BigIntegerField(null=True)
    made_at = models.DateTimeField(db_default=Now())
    # It is not told before this: what joins an alert meanwhile goes the same way.
    not_before = models.DateTimeField(db_default=Now())
    # For one endpoint alone, and in no order: a test message.
    is_private = models.BooleanField(default=False, db_default=False)
    position = models.BigIntegerField(null=True, unique=True)
    told_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(type__in=MessageType.values), name="message_type_known"
            ),
            # Of an alert at most one update waits.
            models.UniqueConstraint(
                fields=["alert"],
                name="message_update_once",
                condition=models.Q(type=MessageType.ALERT_UPDATED, position=None),
            ),
        ]
        indexes = [
            # What waits for its place.
            models.Index(
                fields=["id"],
                name="message_without_place",
                condition=models.Q(position=None, is_private=False),
            ),
            # What is old.
            models.Index(fields=["made_at"], name="message_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.webhook_id}"

    @property
    def webhook_id(self) -> str:
        return f"msg_{self.key.hex}"


class Numbering(models.Model):
    """One row: the last place that was given, and up to which one messages have been removed.

    Who holds it gives places, so that they are in the order of commits and have no gaps.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    last = models.BigIntegerField(default=0, db_default=0)
    removed_to = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="numbering_once")]

    def __str__(self) -> str:
        return f"up to {self.last}"


class Format(models.TextChoices):
    """How messages look to who gets them."""

    STANDARD = "standard", "Standard Webhooks"
    SLACK = "slack", "Slack"
    TEAMS = "teams", "Teams"


class Endpoint(models.Model):
    """A webhook: a URL to which messages are posted."""

    class Off(models.TextChoices):
        """Why it is switched off."""

        BY_HAND = "BY_HAND", "By hand"
        GONE = "GONE", "It answered 410"
        FAILING = "FAILING", f"It failed for {FAILING_DAYS_MAX} days"

    format = models.CharField(
        max_length=10, choices=Format, default=Format.STANDARD, db_default=Format.STANDARD
    )
    # Of a channel cut: whoever has the whole of it may post there, so that it is the secret.
    url = models.CharField(max_length=URL_CHARACTERS_MAX)
    description = models.CharField(max_length=200, blank=True, default="")
    # Types of messages; none means all.
    types = models.JSONField(default=list, blank=True)
    # Encrypted; see `signing`. The one before is used too until its end.
    secret = models.TextField()
    old_secret = models.TextField(blank=True, default="")
    old_secret_until = models.DateTimeField(null=True)
    made_at = models.DateTimeField(db_default=Now())
    made_by = models.ForeignKey(USER, null=True, on_delete=models.SET_NULL, related_name="+")
    off = models.CharField(max_length=10, choices=Off, blank=True, default="", db_default="")
    off_at = models.DateTimeField(null=True)
    # Since when nothing got through of what waits; attempts that failed since something did.
    failing_since = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0, db_default=0)
    # Its receiver asked to be sent nothing before this.
    not_before = models.DateTimeField(null=True)
    # A worker has it until then; whose lease it is, is told by its very end.
    leased_until = models.DateTimeField(null=True)
    # When it had its last turn.
    turn_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "webhook"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(off__in=["", "BY_HAND", "GONE", "FAILING"]), name="endpoint_off_known"
            ),
            models.CheckConstraint(
                condition=models.Q(format__in=Format.values), name="endpoint_format_known"
            ),
        ]

    def __str__(self) -> str:
        return self.called

    @property
    def is_signed(self) -> bool:
        """Whether messages are signed; else its URL is what nobody else may know."""
        return self.format == Format.STANDARD

    @property
    def called(self) -> str:
        """Its name everywhere but on its own page: the URL may hold a secret."""
        return self.description or f"webhook {self.pk}"


class DeliveryState(models.TextChoices):
    WAITING = "WAITING", "Waiting"
    DELIVERED = "DELIVERED", "Delivered"
    FAILED = "FAILED", "Given up"


class Delivery(models.Model):
    """One message for one endpoint, and what became of it."""

    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(
        max_length=10,
        choices=DeliveryState,
        default=DeliveryState.WAITING,
        db_default=DeliveryState.WAITING,
    )
    # Attempts since it was sent, or sent again by hand; as long as there was none it is due.
    attempts = models.IntegerField(default=0, db_default=0)
    due_at = models.DateTimeField(db_default=Now())
    # Somebody sent it by hand, and waits to see what comes of it: it is tried before all others.
    by_hand = models.BooleanField(default=False, db_default=False)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "message"], name="delivery_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=DeliveryState.values), name="delivery_state_known"
            ),
        ]
        indexes = [
            # Whether an endpoint is to be sent anything, and since when.
            models.Index(
                fields=["endpoint", "due_at"],
                name="delivery_waiting",
                condition=models.Q(state=DeliveryState.WAITING),
            ),
            # What it is to be sent next: of what was not tried yet, and of what failed.
            models.Index(
                fields=["endpoint", "-by_hand", "id"],
                name="delivery_untried",
                condition=models.Q(state=DeliveryState.WAITING, attempts=0),
            ),
            models.Index(
                fields=["endpoint", "due_at", "id"],
                name="delivery_retried",
                condition=models.Q(state=DeliveryState.WAITING, attempts__gt=0),
            ),
            # The log of an endpoint, the newest first.
            models.Index(fields=["endpoint", "-id"], name="delivery_log"),
        ]

    def __str__(self) -> str:
        return f"message {self.message_id} to endpoint {self.endpoint_id}"


class Attempt(models.Model):
    """One POST: when, what was answered, or why there was no answer."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log", db_index=False)
    at = models.DateTimeField(db_default=Now())
    # Of the answer; none where there was none.
    status = models.IntegerField(null=True)
    error = models.CharField(max_length=200, blank=True, default="", db_default="")
    # The beginning of the answer.
    answer = models.CharField(max_length=500, blank=True, default="", db_default="")
    milliseconds = models.IntegerField()

    class Meta:
        indexes = [models.Index(fields=["delivery", "id"], name="attempt_by_delivery")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}: {self.status or self.error}"


class SystemAlarm(models.Model):
    """Something is wrong with the system itself: told once when it begins, and once when it is over."""

    key = models.CharField(max_length=50)
    text = models.CharField(max_length=500)
    opened_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    recovered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key"], name="system_alarm_open_once", condition=models.Q(recovered_at=None)
            )
        ]

    def __str__(self) -> str:
        return self.text


# From which severity on somebody is told of alerts, and in the place of one that they are told of none.
NO_ALERTS = "NONE"
LEAST = [
    *(
        (each.value, f"{each.label} {'alone' if each.value == GRAVEST_FIRST[0] else 'and above'}")
        for each in Severity
    ),
    (NO_ALERTS, "No alerts"),
]
ADDRESS_TAKEN = "There is a recipient with this address already, in whatever case it is written."


class Recipient(models.Model):
    """Somebody who is told by e-mail: of alerts from a severity on, and of the system's own alarms."""

    address = models.EmailField()
    least = models.CharField("alerts", max_length=10, choices=LEAST, default=Severity.LOW)
    system = models.BooleanField("alarms of the system", default=True)
    # A test mail: when it was asked for, when the worker had tried it, and what it failed by; "" for nothing.
    test_asked_at = models.DateTimeField(null=True, editable=False)
    test_ended_at = models.DateTimeField(null=True, editable=False)
    # A worker is sending it until then.
    test_leased_until = models.DateTimeField(null=True, editable=False)
    test_failure = models.CharField(max_length=300, blank=True, default="", db_default="", editable=False)

    class Meta:
        verbose_name, verbose_name_plural = "recipient of mail", "recipients of mail"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(least__in=[least for least, _ in LEAST]),
                name="recipient_least_known",
            ),
            # Or somebody would be mailed twice.
            models.UniqueConstraint(Lower("address"), name="recipient_address_once"),
        ]

    def __str__(self) -> str:
        # Not the address, which Django's log of the admin site would keep for good.
        return f"recipient {self.pk}"

    def save(self, *args: Any, **more: Any) -> None:
        """Who is new is told of what comes from now on."""
        is_new = self._state.adding
        with transaction.atomic():
            super().save(*args, **more)
            if is_new:
                last = Numbering.objects.filter(pk=1).values_list("last", flat=True).first() or 0
                for name in MailPlace.Mailing.values:
                    MailPlace.objects.create(recipient=self, name=name, position=last)

    def clean(self) -> None:
        others = Recipient.objects.exclude(pk=self.pk).alias(lowered=Lower("address"))
        if others.filter(lowered=Lower(models.Value(self.address))).exists():
            raise ValidationError({"address": ADDRESS_TAKEN})


class MailPlace(models.Model):
    """How far mail to one recipient has come: one row for what is sent at once, one for the digest."""

    class Mailing(models.TextChoices):
        AT_ONCE = "at once"
        DIGEST = "digest"

    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="places", db_index=False)
    name = models.CharField(max_length=10, choices=Mailing)
    position = models.BigIntegerField()
    sent_at = models.DateTimeField(null=True)
    # Not before this it is tried again; how often it has failed in a row.
    due_at = models.DateTimeField(db_default=Now())
    failures = models.IntegerField(default=0, db_default=0)
    # How often in a row the next mail was refused for what it says; when one was left out for that.
    refusals = models.IntegerField(default=0, db_default=0)
    refused_at = models.DateTimeField(null=True)
    # A worker is sending until then; whose lease it is, is told by its very end.
    leased_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["recipient", "name"], name="mail_place_once")]

    def __str__(self) -> str:
        return f"{self.name} to recipient {self.recipient_id} up to {self.position}"
