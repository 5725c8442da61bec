"""What PostgreSQL keeps: transactions, their rollups, rejected records, and the books."""

import secrets
import uuid

from django.conf import settings
from django.contrib.auth.models import User
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

AMOUNT_MAX = 2**63 - 1
TRANSACTION_ID_CHARACTERS_MAX = 100


class Status(models.TextChoices):
    PENDING = "PENDING", "Pending"
    SUCCESS = "SUCCESS", "Succeeded"
    FAILED = "FAILED", "Failed"


class Transaction(models.Model):
    """One movement of money. Written by the flush alone; `amount` is in the smallest unit.

    `created_at` is when it happened (the client's word, or the moment of acceptance); the three
    other times are ours: accepted by the API, stored by the flush, settled by a second record.
    """

    # Byte order compares fastest. Unique by a constraint: unique=True on text would cost a second
    # index (for LIKE) at every insert.
    transaction_id = models.CharField(max_length=TRANSACTION_ID_CHARACTERS_MAX, db_collation="C")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False)
    status = models.CharField(max_length=20, choices=Status, default=Status.PENDING)
    created_at = models.DateTimeField(default=timezone.now)
    amount = models.BigIntegerField(validators=[MinValueValidator(0)])
    accepted_at = models.DateTimeField(default=timezone.now, editable=False)
    stored_at = models.DateTimeField(default=timezone.now, editable=False)
    settled_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The created_at of the record that settled it, where that stated another: it changes nothing, and by it
    # the same record is recognised again.
    settled_as_of = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            # The last word against doubles, and the look-up by id.
            models.UniqueConstraint(fields=["transaction_id"], name="transaction_id_once"),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="transaction_amount_not_negative"),
            models.CheckConstraint(
                condition=models.Q(status__in=Status.values), name="transaction_status_known"
            ),
        ]
        indexes = [
            # The list and the admin, newest first; the rows of a time range.
            models.Index(fields=["created_at", "id"], name="transaction_by_time"),
            # The same of one status, of those that most do not have: by time alone, whoever asks for what is
            # pending or failed would read all that succeeded since.
            models.Index(
                fields=["status", "created_at", "id"],
                name="transaction_by_status",
                condition=models.Q(status__in=[Status.PENDING, Status.FAILED]),
            ),
            # A user's list and averages; the cascade of a deleted user; windows of rules, which add up
            # amounts. Not the status: a settlement would have to write to the index.
            models.Index(
                fields=["user", "created_at", "id"], include=["amount"], name="transaction_by_user_amount"
            ),
            # The list by amount, or of a range of amounts. Parts of ids have an index that may be missing:
            # see `reading.part_indexes`.
            models.Index(fields=["amount", "created_at", "id"], name="transaction_by_amount"),
        ]

    def __str__(self) -> str:
        return self.transaction_id


class Rollup(models.Model):
    """Count and sum of the transactions of one status in one 15 minutes, kept by triggers.

    `total` is numeric: two amounts of 2^63-1 overflow a bigint.
    """

    pk = models.CompositePrimaryKey("bucket", "status")
    bucket = models.DateTimeField()
    status = models.CharField(max_length=20, choices=Status)
    count = models.BigIntegerField()
    total = models.DecimalField(max_digits=40, decimal_places=0)

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d %H:%M} {self.status}"


class Epoch(models.Model):
    """The books of one life of the Redis data: what the flush did with the records accepted in it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True, blank=True)
    # Redis' own counter when a flush last looked: a lower one later means that Redis went back.
    accepted_seen = models.BigIntegerField(db_default=0)
    # When a flush last ran to its end, also an empty one.
    flushed_at = models.DateTimeField(null=True, blank=True)
    stored = models.BigIntegerField(db_default=0)
    settled = models.BigIntegerField(db_default=0)
    duplicates = models.BigIntegerField(db_default=0)
    rejected = models.BigIntegerField(db_default=0)
    # Rows that left the table while these books were open, whichever books they had been stored in: by
    # hand, and by retention. Over all books there are stored − removed − pruned rows.
    removed = models.BigIntegerField(db_default=0)
    pruned = models.BigIntegerField(db_default=0)
    # Why the books before these were closed, if nobody asked for it; shown until acknowledged.
    alarm = models.TextField(blank=True, db_default="")
    alarm_acknowledged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "books"

    def __str__(self) -> str:
        return str(self.id)


class Removal(models.Model):
    """Rows that a statement removed from the table of transactions, until the flush has them in the books.

    Written by triggers, with the removal itself: a row for each statement, so that nobody who deletes
    waits for anybody else who does, or holds up the flush.
    """

    removed = models.BigIntegerField(db_default=0)
    pruned = models.BigIntegerField(db_default=0)

    def __str__(self) -> str:
        return f"{self.removed} removed, {self.pruned} pruned"


class FlushBatch(models.Model):
    """One reserved batch of the queue, and how far it is stored: a line of the flush history.

    A row is first a promise (`length` null: the name under which the queue may be renamed), then a
    batch in work (`done` < `length`), then stored, and last `released`, when Redis has let go of it.
    """

    name = models.CharField(max_length=100, unique=True, db_collation="C")
    epoch = models.ForeignKey(Epoch, on_delete=models.CASCADE, related_name="batches")
    reserved_at = models.DateTimeField(db_default=Now())
    stored_at = models.DateTimeField(null=True, blank=True)
    released = models.BooleanField(db_default=False)
    length = models.BigIntegerField(null=True, blank=True)
    # Records of it that are committed, whatever became of them. The next chunk starts here.
    done = models.BigIntegerField(db_default=0)
    chunks = models.IntegerField(db_default=0)
    stored = models.BigIntegerField(db_default=0)
    settled = models.BigIntegerField(db_default=0)
    duplicates = models.BigIntegerField(db_default=0)
    rejected = models.BigIntegerField(db_default=0)

    class Meta:
        verbose_name, verbose_name_plural = "flush", "flushes"
        indexes = [
            # What an earlier flush left: looked for at every tick.
            models.Index(fields=["id"], name="batch_open", condition=models.Q(released=False)),
        ]

    def __str__(self) -> str:
        return self.name


class RejectedRecord(models.Model):
    """An accepted record that could not be stored, kept with its raw bytes and the reason."""

    class Resolution(models.TextChoices):
        REPLAYED = "REPLAYED", "Replayed"
        DISCARDED = "DISCARDED", "Discarded"

    # As far as it could be read; empty where it could not.
    transaction_id = models.CharField(
        max_length=TRANSACTION_ID_CHARACTERS_MAX, db_collation="C", blank=True, db_index=False
    )
    reason = models.CharField(max_length=200)
    raw = models.BinaryField()
    rejected_at = models.DateTimeField(db_default=Now())
    times = models.IntegerField(db_default=1, help_text="How often the flush has refused this record.")
    resolution = models.CharField(max_length=20, choices=Resolution, blank=True, db_default="")
    resolved_at = models.DateTimeField(null=True, blank=True)
    batch = models.ForeignKey(FlushBatch, null=True, on_delete=models.SET_NULL, db_index=False)

    class Meta:
        indexes = [
            # GET of a transaction that the flush refused.
            models.Index(fields=["transaction_id", "-id"], name="rejected_by_transaction"),
            # The open ones, newest first.
            models.Index(fields=["-id"], name="rejected_open", condition=models.Q(resolution="")),
        ]

    def __str__(self) -> str:
        return f"{self.transaction_id or 'unreadable'}: {self.reason}"


class PruningPlace(models.Model):
    """The row, in order of time, up to which the worker has pruned: one, or none to begin at the oldest."""

    id = models.SmallIntegerField(primary_key=True, db_default=1)
    moment = models.DateTimeField()
    row_id = models.BigIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="pruning_place_once")]

    def __str__(self) -> str:
        return f"{self.moment:%Y-%m-%d %H:%M:%S} {self.row_id}"


class Customer(User):
    """An account that only has transactions, and nobody logs in to; `access.people` tells which are."""

    class Meta:
        proxy = True
        # Who may read transactions sees customers, who may add accounts adds them.
        default_permissions = ()

    def __str__(self) -> str:
        return self.get_username()


class CustomerNote(models.Model):
    """What somebody wrote about a customer, and who has looked into it since.

    The customer is known by key alone: the note outlives the account.
    """

    TEXT_CHARACTERS_MAX = 1_000

    customer = models.BigIntegerField()
    text = models.CharField(max_length=TEXT_CHARACTERS_MAX)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    # The names by then: an account may be gone later.
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField(db_default=Now())
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    reviewed_by_name = models.CharField(max_length=150, blank=True, db_default="")
    reviewed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        # To write one, and to mark it as reviewed.
        default_permissions = ("add", "change")
        indexes = [
            # The notes of a customer, newest first.
            models.Index(fields=["customer", "-id"], name="note_by_customer")
        ]

    def __str__(self) -> str:
        return f"note {self.pk} on {self.customer}"


def new_key() -> str:
    """A short text for a URL that nobody else has."""
    return secrets.token_urlsafe(8)


VIEW_NAME_MAX, VIEW_QUERY_MAX = 60, 1000


class SavedView(models.Model):
    """The query of a narrowed list under a name: its owner's alone, or shared with all who may see it."""

    key = models.CharField(max_length=16, default=new_key, editable=False)
    name = models.CharField(max_length=VIEW_NAME_MAX)
    query = models.CharField(max_length=VIEW_QUERY_MAX, blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    shared = models.BooleanField(default=False)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        # Who may see the list may save a view of it.
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["key"], name="saved_view_key_once"),
            models.UniqueConstraint(fields=["owner", "name"], name="saved_view_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class SentForm(models.Model):
    """A form of a page that was sent and stored: sent again, it leads to where its answer led.

    The key is a digest of who sent what from which page.
    """

    key = models.CharField(max_length=64, primary_key=True)
    led_to = models.TextField(blank=True, db_default="")
    sent_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ()
        # Old ones are forgotten.
        indexes = [models.Index(fields=["sent_at"], name="sent_form_by_time")]

    def __str__(self) -> str:
        return f"form sent at {self.sent_at}"


class ApiToken(models.Model):
    """A client's key to the API. It acts for `user`, whose permissions are its rights.

    The token itself is shown once, when it is made; what is kept cannot be turned back into it.
    """

    name = models.CharField(max_length=100)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    # SHA-256 in hexadecimal. Tokens are long and random: nothing slower is needed.
    digest = models.CharField(max_length=64, db_collation="C", editable=False)
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    # To the minute or so.
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API token"
        constraints = [
            # The look-up of a request's token.
            models.UniqueConstraint(fields=["digest"], name="token_digest_once"),
            # Revoking goes by name.
            models.UniqueConstraint(
                fields=["name"], name="token_live_name_once", condition=models.Q(revoked_at=None)
            ),
        ]

    def __str__(self) -> str:
        return self.name
