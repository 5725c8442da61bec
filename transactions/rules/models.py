"""What PostgreSQL keeps of rules: versions, the lists they name, hits, debt, the gate, and backtests."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower, Now

from ..alerts.models import Alert
from ..severity import Severity
from .kinds.registry import NAMES

USER = settings.AUTH_USER_MODEL


class Rule(models.Model):
    """What is looked for; how, how grave it is and what to do about it is in its versions.

    Severity and description are copies, of the version that became active last: until there is one, as
    the rule was made. The database refuses any others then.
    """

    name = models.CharField(max_length=100, unique=True)
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.MEDIUM)
    description = models.TextField(blank=True, default="", help_text="What to do about a hit.")
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(severity__in=Severity.values), name="rule_severity_known"
            ),
            # Those that differ in case alone would be taken for each other.
            models.UniqueConstraint(Lower("name"), name="rule_name_once"),
        ]
        # To view and to change are Django's own.
        permissions = [("approve_rule", "Can approve rule")]

    def __str__(self) -> str:
        return self.name


class VersionState(models.TextChoices):
    DRAFT = "DRAFT", "Draft"
    SUBMITTED = "SUBMITTED", "Submitted"
    SHADOW = "SHADOW", "Shadow"
    ACTIVE = "ACTIVE", "Active"
    RETIRED = "RETIRED", "Retired"


APPROVED = (VersionState.SHADOW, VersionState.ACTIVE)


class Version(models.Model):
    """One wording of a rule, immutable: the database refuses a change of anything but its state, and of
    what is set with a step: who approved it, when, and its times. It begins as a draft, and what was
    submitted once is never deleted.

    It judges what happened from `effective_from` until before `effective_until`, both on full
    minutes; a record that comes late is still judged by a version that has been retired by then.
    """

    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    kind = models.CharField(max_length=30)
    parameters = models.JSONField()
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.MEDIUM)
    description = models.TextField(blank=True, default="")
    state = models.CharField(max_length=10, choices=VersionState, default=VersionState.DRAFT)
    author = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=Now())
    submitted_at = models.DateTimeField(null=True, blank=True)
    approver = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True, blank=True)
    # Whether author and approver had to be two when it was approved (the setting FOUR_EYES then).
    four_eyes = models.BooleanField(null=True, blank=True)
    effective_from = models.DateTimeField(null=True, blank=True)
    effective_until = models.DateTimeField(null=True, blank=True)
    # Hits of what happened from here on go into alerts: set when it becomes active.
    alerts_from = models.DateTimeField(null=True, blank=True)
    # When somebody decided, after its end, that it judges no more, whatever comes late.
    given_up_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="version_number_once"),
            models.UniqueConstraint(
                fields=["rule"], name="version_active_once", condition=models.Q(state=VersionState.ACTIVE)
            ),
            models.CheckConstraint(condition=models.Q(kind__in=NAMES), name="version_kind_known"),
            models.CheckConstraint(
                condition=models.Q(state__in=VersionState.values), name="version_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(severity__in=Severity.values), name="version_severity_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=APPROVED)
                | models.Q(effective_from__isnull=False, approved_at__isnull=False, four_eyes__isnull=False),
                name="version_approved_is_in_force",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=VersionState.ACTIVE) | models.Q(alerts_from__isnull=False),
                name="version_active_raises_alerts",
            ),
            models.CheckConstraint(
                condition=models.Q(effective_from=None)
                | ~models.Q(four_eyes=True)
                | models.Q(
                    models.Q(author__isnull=False, approver__isnull=False),
                    ~models.Q(approver=models.F("author")),
                ),
                name="version_seen_by_four_eyes",
            ),
            models.CheckConstraint(
                condition=models.Q(effective_until=None)
                | models.Q(effective_until__gte=models.F("effective_from")),
                name="version_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule.name}, version {self.number}"


class UserList(models.Model):
    """Users that rules look at, or look away from."""

    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True, default="")
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name, verbose_name_plural = "list of customers", "lists of customers"
        constraints = [models.UniqueConstraint(Lower("name"), name="list_name_once")]

    def __str__(self) -> str:
        return self.name


class ListEntry(models.Model):
    """A user on a list, from the next full minute after it was made until its end, by the time at which
    transactions happened. It is never edited, only ended: so that it is a fact about transactions.
    """

    # No index of its own: `entry_by_user` begins with it, and while statistics are old the planner would take
    # this one, and read the whole list for each user.
    list = models.ForeignKey(UserList, on_delete=models.PROTECT, related_name="entries", db_index=False)
    user = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="+", db_index=False)
    comment = models.CharField(max_length=200, blank=True, default="")
    made_by = models.ForeignKey(USER, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField(db_default=Now())
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "list entries"
        indexes = [
            # Whether a user stood on a list when a transaction happened.
            models.Index(fields=["list", "user", "starts_at"], name="entry_by_user"),
            # The cascade of a deleted user.
            models.Index(fields=["user"], name="entry_of_user"),
        ]

    def __str__(self) -> str:
        return f"user {self.user_id} on {self.list_id}"


class Hit(models.Model):
    """A transaction, or a moment, that a version found. What it says of the transaction is a copy."""

    class Suppressed(models.TextChoices):
        SNOOZED = "SNOOZED", "Snoozed"
        QUIET = "QUIET", "Closed a short while before"

    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="hits", db_index=False)
    transaction = models.BigIntegerField(null=True, help_text="The row's key.")
    # Of a rule that looks at the whole system: what the hit is about begins here.
    bucket = models.DateTimeField(null=True)
    transaction_id = models.CharField(max_length=100, blank=True, db_default="")
    user = models.BigIntegerField(null=True)
    amount = models.BigIntegerField(null=True)
    status = models.CharField(max_length=20, blank=True, db_default="")
    happened_at = models.DateTimeField()
    # What reached the limit, as of raising.
    figures = models.JSONField()
    raised_at = models.DateTimeField(db_default=Now())
    alert = models.ForeignKey(
        Alert, null=True, on_delete=models.SET_NULL, related_name="raised_by", db_index=False
    )
    suppressed = models.CharField(max_length=10, choices=Suppressed, blank=True, db_default="")

    class Meta:
        constraints = [
            # A hit is raised once, whatever is evaluated however often.
            models.UniqueConstraint(fields=["version", "transaction"], name="hit_once"),
            models.UniqueConstraint(fields=["version", "bucket"], name="hit_of_bucket_once"),
            models.CheckConstraint(
                condition=models.Q(transaction__isnull=False, bucket=None)
                | models.Q(transaction=None, bucket__isnull=False),
                name="hit_of_transaction_or_bucket",
            ),
        ]
        indexes = [
            models.Index(fields=["raised_at"], name="hit_by_time"),
            # Pages of a version's hits, and how many there were lately.
            models.Index(fields=["version", "raised_at", "id"], name="hit_by_version"),
            # The hits of an alert: the first, and the latest.
            models.Index(fields=["alert", "id"], name="hit_by_alert"),
            # What came while an alert was closed, among very many.
            models.Index(fields=["alert", "id"], name="hit_quiet", condition=models.Q(suppressed="QUIET")),
            # What a snooze has kept away.
            models.Index(
                fields=["user", "version", "id"],
                name="hit_snoozed",
                condition=models.Q(suppressed="SNOOZED"),
            ),
            # The same of one user, who may have few among very many.
            models.Index(fields=["version", "user", "raised_at", "id"], name="hit_by_user"),
        ]

    def __str__(self) -> str:
        return self.transaction_id or f"{self.bucket:%Y-%m-%d %H:%M}"


# The columns of a debt by what it is, see there.
OF_RANGE = models.Q(first_id__isnull=False, last_id__isnull=False, since=None, until=None) & (
    models.Q(after_user=None, after_id=None) | models.Q(after_user__isnull=False, after_id__isnull=False)
)
OF_IDS = models.Q(first_id=None, last_id=None, since=None, until=None, after_user=None, after_id=None)
OF_TIME = models.Q(first_id=None, last_id=None, after_id=None) & models.Q(
    since__isnull=False, until__isnull=False, after_user__isnull=False
)


class Debt(models.Model):
    """Rows that are stored and not judged yet. What is owed (`debts.Owing`) is one of these:

    - a range of ids, and `ids` from before it, of rows that settled. From `first_id` to `last_id` is left; a
      part of it is gone through by user and id, and what comes after `after_user` and `after_id` is left of
      that, where these are not null;
    - rows by their `ids` alone: what is left once a range is gone through, and rows from the future;
    - all that happened in a time, from `since` until before `until`, user by user: those after `after_user`.

    Without a version it stands for all of them, and for the gate.
    """

    # No constraint in the database: it would lock the versions, and debt is what is written where they
    # cannot be read.
    version = models.ForeignKey(
        Version, null=True, on_delete=models.PROTECT, related_name="debts", db_constraint=False
    )
    first_id = models.BigIntegerField(null=True)
    last_id = models.BigIntegerField(null=True)
    ids = models.JSONField(db_default=models.Value([], models.JSONField()))
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    after_user = models.BigIntegerField(null=True)
    after_id = models.BigIntegerField(null=True)
    # When the first of it happened, for pruning: it stays as it is while the debt is paid. With it, of how
    # much that holds: up to the last id of the range, and to the last of `ids`. The release before writes
    # debt without it, and adds to debt that has it. There these differ, and it is looked for.
    earliest = models.DateTimeField(null=True)
    earliest_last_id = models.BigIntegerField(null=True)
    earliest_last_of_ids = models.BigIntegerField(null=True)
    # The debt of all versions that this one's version does not pay its part of; it is paid after that.
    split_from = models.BigIntegerField(null=True)
    # Whether the range is still to be counted in the users' states.
    count_in_gate = models.BooleanField(db_default=False)
    records = models.BigIntegerField(db_default=0, help_text="Rows in question, as far as is known.")
    made_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    attempts = models.IntegerField(db_default=0)
    error = models.CharField(max_length=200, blank=True, db_default="")

    class Meta:
        constraints = [models.CheckConstraint(condition=OF_RANGE | OF_IDS | OF_TIME, name="debt_of_one_kind")]
        indexes = [models.Index(fields=["due_at"], name="debt_by_time")]

    def __str__(self) -> str:
        return f"{self.records} records of {self.version_id or 'all versions'}"


class Gate(models.Model):
    """One row, while users' states are kept: up to which user they are complete."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    filled_to = models.BigIntegerField(db_default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="gate_once")]

    def __str__(self) -> str:
        return f"filled to user {self.filled_to}"


class UserState(models.Model):
    """Upper bounds of what one user did lately: count and sum of the bucket of the latest transaction,
    and of the bucket before, for buckets of an hour, a day, 7 and 30 days. See `gate`.
    """

    user = models.BigIntegerField(primary_key=True)
    last_at = models.DateTimeField()
    # The same before the rows that were counted last.
    previous_at = models.DateTimeField(null=True)
    hour = models.DateTimeField()
    hour_count = models.BigIntegerField()
    hour_count_before = models.BigIntegerField()
    hour_sum = models.BigIntegerField()
    hour_sum_before = models.BigIntegerField()
    day = models.DateTimeField()
    day_count = models.BigIntegerField()
    day_count_before = models.BigIntegerField()
    day_sum = models.BigIntegerField()
    day_sum_before = models.BigIntegerField()
    week = models.DateTimeField()
    week_count = models.BigIntegerField()
    week_count_before = models.BigIntegerField()
    week_sum = models.BigIntegerField()
    week_sum_before = models.BigIntegerField()
    month = models.DateTimeField()
    month_count = models.BigIntegerField()
    month_count_before = models.BigIntegerField()
    month_sum = models.BigIntegerField()
    month_sum_before = models.BigIntegerField()

    def __str__(self) -> str:
        return f"user {self.user}"


class ClockCursor(models.Model):
    """How far a version that looks at the clock has come: up to which row, and which moment."""

    version = models.OneToOneField(Version, primary_key=True, on_delete=models.CASCADE, related_name="cursor")
    row = models.BigIntegerField(db_default=0)
    moment = models.DateTimeField(null=True)
    # How often it has failed since, why, and when it is tried again.
    attempts = models.IntegerField(db_default=0)
    error = models.CharField(max_length=200, blank=True, db_default="")
    due_at = models.DateTimeField(null=True)
    # Whether it has ended, and all of its time was looked at.
    done = models.BooleanField(db_default=False)

    def __str__(self) -> str:
        return f"version {self.version_id} up to {self.moment}"


class BacktestState(models.TextChoices):
    QUEUED = "QUEUED", "Queued"
    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Done"
    CANCELLED = "CANCELLED", "Cancelled"
    FAILED = "FAILED", "Failed"


UNFINISHED = (BacktestState.QUEUED, BacktestState.RUNNING)


class Backtest(models.Model):
    """A backtest that somebody asked for, how far it is, and what came of it. See `backtest_runs`.

    What is tested is a version, or a wording that is not in any yet.
    """

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="backtests", db_index=False)
    version = models.ForeignKey(Version, null=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=30)
    parameters = models.JSONField()
    # The version in force when it was asked for, if that is another one.
    beside = models.ForeignKey(Version, null=True, on_delete=models.CASCADE, related_name="+")
    # What happened from `begin` until before `end` is looked at.
    begin = models.DateTimeField()
    end = models.DateTimeField()
    # Whose days its hits are counted by.
    timezone = models.CharField(max_length=64, default="UTC", db_default="UTC")
    state = models.CharField(
        max_length=10,
        choices=BacktestState,
        default=BacktestState.QUEUED,
        db_default=BacktestState.QUEUED,
    )
    asked_by = models.ForeignKey(USER, null=True, on_delete=models.SET_NULL, related_name="+")
    asked_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    cancel_asked = models.BooleanField(default=False, db_default=False)
    # How often a worker has taken it: it is taken up again where a worker was killed.
    attempts = models.IntegerField(default=0, db_default=0)
    # Steps done, and in all; 0 of 0 until it has begun.
    steps_done = models.BigIntegerField(default=0, db_default=0)
    steps = models.BigIntegerField(default=0, db_default=0)
    # What came of it, as `rules.backtest_result` says it, once it is done.
    result = models.JSONField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=BacktestState.values), name="backtest_state_known"
            ),
            models.CheckConstraint(condition=models.Q(kind__in=NAMES), name="backtest_kind_known"),
            models.CheckConstraint(
                condition=models.Q(begin__lt=models.F("end")), name="backtest_ends_after_it_begins"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=UNFINISHED, ended_at=None)
                | (~models.Q(state__in=UNFINISHED) & models.Q(ended_at__isnull=False)),
                name="backtest_ended_at_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(state=BacktestState.DONE, result__isnull=False)
                | (~models.Q(state=BacktestState.DONE) & models.Q(result__isnull=True)),
                name="backtest_done_with_result",
            ),
        ]
        indexes = [
            # A rule's backtests, the newest first.
            models.Index(fields=["rule", "-id"], name="backtest_by_rule"),
            # What waits for a worker, or has one.
            models.Index(fields=["id"], name="backtest_unfinished", condition=models.Q(state__in=UNFINISHED)),
        ]

    def __str__(self) -> str:
        return f"backtest {self.pk} of {self.rule_id}"
