"""What PostgreSQL keeps of the trail."""

from django.db import models

from .actions import Action

NAME_MAX = 200
REASON_MAX = 500


class Via(models.TextChoices):
    ADMIN = "admin", "Admin site"
    API = "api", "API"
    COMMAND = "command", "Command"


class Entry(models.Model):
    """One thing that somebody did. Made by `entries.note`, numbered and chained by PostgreSQL at the
    end of its transaction, and never changed: triggers refuse it, see the migration.

    No foreign keys: an entry outlives what it names. Not managed by Django, so that neither
    `manage.py flush` nor a test's clearing of tables touches it.
    """

    # Without gaps, in the order of the commits. Until the transaction ends it is null, and so are the moment
    # and the hashes: nobody else sees the entry then.
    number = models.BigIntegerField(unique=True, editable=False)
    at = models.DateTimeField(editable=False)
    action = models.CharField(max_length=40, choices=Action)
    # The account, or the operating system's user; empty for somebody who showed no credentials.
    actor = models.CharField(max_length=NAME_MAX, blank=True)
    actor_id = models.BigIntegerField(null=True, blank=True)
    via = models.CharField(max_length=10, choices=Via)
    # The name of the token that was shown.
    token = models.CharField(max_length=NAME_MAX, blank=True)
    # As `access.addresses` tells it; of a command the host's name.
    address = models.CharField(max_length=NAME_MAX, blank=True)
    request_id = models.CharField(max_length=NAME_MAX, blank=True)
    target = models.CharField(max_length=NAME_MAX, blank=True)
    target_id = models.CharField(max_length=NAME_MAX, blank=True)
    reason = models.CharField(max_length=REASON_MAX, blank=True)
    # A JSON object as text, byte for byte what the hash is over.
    details = models.TextField(default="{}")
    # SHA-256 in hexadecimal: of the entry before, and of this one (see `chain`).
    previous = models.CharField(max_length=64, editable=False)
    hash = models.CharField(max_length=64, editable=False)

    class Meta:
        managed = False
        db_table = "audit_entry"
        default_permissions = ("view",)
        verbose_name, verbose_name_plural = "audit entry", "audit trail"

    def __str__(self) -> str:
        return f"{self.number} {self.action}"


class KnownSettings(models.Model):
    """The settings with which a program was started last: values, of secrets a keyed hash."""

    program = models.CharField(primary_key=True, max_length=20)
    known = models.JSONField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.program
