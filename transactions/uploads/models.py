"""What PostgreSQL keeps of an upload: how far it is, the bytes of its file, and the rows refused of it."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

NAME_CHARACTERS_MAX = 200
ERROR_CHARACTERS_MAX = 1_000


class UploadState(models.TextChoices):
    QUEUED = "QUEUED", "Queued"
    RUNNING = "RUNNING", "Running"
    WAITS = "WAITS", "Waits for you"
    DONE = "DONE", "Done"
    CANCELLED = "CANCELLED", "Cancelled"
    FAILED = "FAILED", "Failed"


UNDER_WAY = (UploadState.QUEUED, UploadState.RUNNING)
OPEN = (*UNDER_WAY, UploadState.WAITS)


class UploadStep(models.TextChoices):
    """What a worker does with a file, one after the other; between two of them somebody agrees."""

    READ = "READ", "Read"
    CHECK = "CHECK", "Check"
    IMPORT = "IMPORT", "Import"


class Upload(models.Model):
    """A file that somebody uploaded, and what became of it. See `transactions/uploads/steps.py`."""

    name = models.CharField(max_length=NAME_CHARACTERS_MAX)
    size = models.BigIntegerField(help_text="In bytes, as it was sent.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of its bytes.")
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    uploaded_at = models.DateTimeField(db_default=Now())
    # The step that waits for a worker or has one; where it waits for somebody, the one that was done last.
    step = models.CharField(max_length=10, choices=UploadStep, default=UploadStep.READ)
    state = models.CharField(max_length=10, choices=UploadState, default=UploadState.QUEUED)
    # Who asked for the step, and when; when a worker took it, and when all ended.
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    cancel_asked = models.BooleanField(default=False, db_default=False)
    # How often a worker has taken the step: it is taken up again where a worker was killed.
    attempts = models.IntegerField(default=0, db_default=0)
    # Of the step, in rows or bytes; 0 of 0 until it is known.
    done = models.BigIntegerField(default=0, db_default=0)
    total = models.BigIntegerField(default=0, db_default=0)
    error = models.CharField(max_length=ERROR_CHARACTERS_MAX, blank=True, default="", db_default="")

    # --- What was read: "CSV, semicolons, UTF-16", its columns, its first rows, and how many there are.
    form = models.CharField(max_length=200, blank=True, default="", db_default="")
    columns = models.JSONField(default=list)
    head = models.JSONField(default=list)
    rows = models.BigIntegerField(default=0, db_default=0)

    # --- What it means: a mapping as TOML, and what a guess said: {"reasons": […], "questions": […]}.
    mapping = models.TextField(blank=True, default="", db_default="")
    guessed = models.JSONField(default=dict)
    create_users = models.BooleanField(default=False, db_default=False)

    # --- What would happen, once it is checked, and what did; see `transactions/uploads/told.py`.
    summary = models.JSONField(null=True, blank=True)
    outcome = models.JSONField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        permissions = [("import_upload", "Can import files of transactions")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=UploadState.values), name="upload_state_known"
            ),
            models.CheckConstraint(condition=models.Q(step__in=UploadStep.values), name="upload_step_known"),
            models.CheckConstraint(
                condition=models.Q(state__in=OPEN, ended_at=None)
                | (~models.Q(state__in=OPEN) & models.Q(ended_at__isnull=False)),
                name="upload_ended_at_a_time",
            ),
        ]
        indexes = [
            # What waits for a worker, or has one.
            models.Index(fields=["id"], name="upload_under_way", condition=models.Q(state__in=UNDER_WAY)),
        ]

    def __str__(self) -> str:
        return self.name


class Portion(models.Model):
    """Bytes of a file, in order: web and worker need not share a disk."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="portions", db_index=False)
    number = models.IntegerField()
    content = models.BinaryField()

    class Meta:
        default_permissions = ()
        constraints = [
            # Reading goes from one to the next.
            models.UniqueConstraint(fields=["upload", "number"], name="portion_once"),
        ]

    def __str__(self) -> str:
        return f"portion {self.number} of {self.upload_id}"


class RefusedRow(models.Model):
    """A row of the file that was not imported, as it stands there, and why."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="refused", db_index=False)
    line = models.BigIntegerField()
    # The line of it that `importing/errors_file.py` writes, cell by cell.
    cells = models.JSONField()
    code = models.CharField(max_length=40)
    reason = models.TextField()

    class Meta:
        default_permissions = ()
        # In the order in which they were met.
        indexes = [models.Index(fields=["upload", "id"], name="refused_row_by_upload")]

    def __str__(self) -> str:
        return f"line {self.line} of {self.upload_id}"
