"""The admin site as a browser sees it, and the rows that its tests show."""

import re
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import Permission, User
from django.db import connection as database
from django.test import Client
from django.urls import reverse

from transactions.models import RejectedRecord, Transaction

GONE = 424_242
ROWS = 50_000
HOSTILE = "<script>alert('1')</script>&\"%_{{7*7}}\\"
MODELS = ["transaction", "rejectedrecord", "flushbatch", "epoch"]
DAY = datetime(2026, 3, 14, 12, tzinfo=UTC)

# Purpose: many rows at once, a minute apart, of three users in turn.
INSERT_MANY = """
    INSERT INTO transactions_transaction
           (transaction_id, user_id, status, created_at, amount, accepted_at, stored_at)
    SELECT 'M' || n, (%s::int[])[1 + n %% 3], 'SUCCESS', timestamptz '2026-03-01Z' + n * interval '1 minute',
           n, now(), now()
      FROM generate_series(1, %s) n
"""


def superuser(client: Client) -> Client:
    """A client who may do everything that anybody may."""
    client.force_login(User.objects.create_superuser("root"))
    return client


def staff(client: Client, *permissions: str) -> Client:
    """A client of a member of the staff who may do this and no more."""
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def url(model: str, query: str = "") -> str:
    return reverse(f"admin:transactions_{model}_changelist") + query


def change(row: Any) -> str:
    return reverse(f"admin:transactions_{row._meta.model_name}_change", args=[row.pk])


def page(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return re.sub(r"\s*\n\s*", " ", response.content.decode())


def listed(client: Client, query: str = "", model: str = "transaction") -> list[str]:
    """The transaction_ids that a list shows, in its order."""
    shown = page(client, url(model, query))
    cells = re.findall(r'<t[dh] class="field-transaction_id [^>]*>(.*?)</t[dh]>', shown, re.DOTALL)
    return [re.sub(r"<[^>]*>", "", cell) for cell in cells]


def act(client: Client, model: str, action: str, *rows: Any, **more: str) -> str:
    """Runs an action on rows as the list's form does; returns the page that follows."""
    keys = [str(row.pk) for row in rows]
    form = {"action": action, "_selected_action": keys, "index": "0", **more}
    query = "?resolution=all" if model == "rejectedrecord" else ""
    response = client.post(url(model, query), form, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def store(user: User, id: str = "T1", **more: Any) -> Transaction:
    facts = {"amount": 1000, "created_at": DAY, **more}
    return Transaction.objects.create(transaction_id=id, user=user, **facts)


def reject(raw: str | bytes, id: str = "R1", reason: str = "a test", **more: Any) -> RejectedRecord:
    raw = raw.encode() if isinstance(raw, str) else raw
    return RejectedRecord.objects.create(transaction_id=id, reason=reason, raw=raw, **more)


def insert_many(people: list[User], rows: int) -> None:
    with database.cursor() as cursor:
        cursor.execute(INSERT_MANY, [[user.pk for user in people], rows])
        cursor.execute("ANALYZE transactions_transaction")
