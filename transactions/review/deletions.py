"""What is said of a transaction or a customer that somebody has deleted: when, by whom and why.

It is in the audit trail, and so is told to who may read that; to others, and of what never was, "".
"""

from django.utils import timezone

from ..access.rights import Right, Rights
from ..audit.models import Entry
from ..reading import audit_trail
from ..timezones import on_page


def of_transaction(transaction_id: str, rights: Rights) -> str:
    """Of the transaction that had this id. Raises django.db.Error."""
    return _told(audit_trail.deletion_of_transaction(transaction_id)) if Right.AUDIT in rights else ""


def of_customer(key: int, rights: Rights) -> str:
    """Of the account of this key. Raises django.db.Error."""
    return _told(audit_trail.deletion_of_account(key)) if Right.AUDIT in rights else ""


def _told(entry: Entry | None) -> str:
    if entry is None:
        return ""
    when = on_page(timezone.localtime(entry.at))
    why = f": “{entry.reason}”" if entry.reason else ""
    return f"Deleted {when} by {entry.actor or 'somebody'}{why}."
