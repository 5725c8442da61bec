"""Files that people upload, and who does."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import reverse

from transactions.importing.mapping import Mapping
from transactions.uploads import steps, work
from transactions.uploads.content import Keeping
from transactions.uploads.limits import UPLOAD_PATH
from transactions.uploads.models import Upload

HEADER = "id,customer,amount,status,date"
# What such a file means, all of it stated.
MEANT = Mapping(
    columns={
        "transaction_id": "id",
        "user": "customer",
        "amount": "amount",
        "status": "status",
        "created_at": "date",
    },
    statuses={"paid": "SUCCESS", "declined": "FAILED"},
    ids="column",
    users="key",
    decimals=2,
    unit="whole",
    mark=".",
    negative="refuse",
    dates="iso",
    timezone="UTC",
)


def importer(name: str = "ina", *more: str) -> tuple[Client, User]:
    """One of the staff who may import files, and has the permissions of these codenames."""
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("import_upload", *more)))
    client = Client()
    client.force_login(user)
    return client, user


def csv_of(rows: Iterable[str]) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


def payments(user: User, *numbers: int) -> bytes:
    """A file of payments: number 7 is of 7.00 and was made at the seventh minute."""
    return csv_of(f"P{n},{user.pk},{n}.00,paid,2026-03-14T12:{n % 60:02}:00" for n in numbers)


def uploaded(content: bytes, by: User | None = None, name: str = "payments.csv") -> Upload:
    """A file that somebody has uploaded, by default Ina where she is, and no worker has read."""
    by = by or User.objects.filter(username="ina").first()
    with transaction.atomic():
        upload = steps.begin(name, by)
        keeping = Keeping(upload)
        keeping.add(content)
        steps.receive(upload, size=keeping.size, digest=keeping.end())
    return upload


def step(upload: Upload) -> Upload:
    """What became of an upload once a worker has taken its next step."""
    assert work.run_next() == upload
    return again(upload)


def again(upload: Upload) -> Upload:
    """The upload as it is now."""
    return Upload.objects.get(pk=upload.pk)


def checked(upload: Upload, meant: Mapping = MEANT, *, create_users: bool = False) -> Upload:
    """The same read, agreed on and checked."""
    step(upload)
    steps.agree(upload, meant, create_users=create_users)
    steps.ask_check(upload)
    return step(upload)


def imported(upload: Upload, meant: Mapping = MEANT, by: User | None = None) -> Upload:
    """The same imported."""
    checked(upload, meant)
    steps.ask_import(upload, by)
    return step(upload)


def send(client: Client, content: bytes, name: str = "payments.csv", **more: Any) -> Any:
    """The answer to a file that somebody uploads."""
    return client.post(UPLOAD_PATH, {"file": SimpleUploadedFile(name, content), **more})


def at(name: str, *keys: Any) -> str:
    """The path of a page of uploads."""
    return reverse(f"admin:uploads_upload_{name}", args=keys)


def as_form(meant: Mapping = MEANT) -> dict[str, str]:
    """What somebody types who means that."""
    typed = {f"map.columns.{name}": column for name, column in meant.columns.items()}
    typed |= {f"map.statuses.{word}": status for word, status in meant.statuses.items()}
    plain = ("ids", "users", "decimals", "unit", "mark", "negative", "status", "dates", "timezone")
    return typed | {f"map.{name}": str(getattr(meant, name)) for name in plain if getattr(meant, name) != ""}
