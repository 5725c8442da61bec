"""The admin site: facts to look at, and the decisions that are an operator's.

Those are to replay or discard a rejected record, to acknowledge an alarm, to make and revoke a token, what is
decided about rules and alerts, what is imported, who is told of what, and (superusers alone) to delete a
transaction. Every value is shown as text, whatever a client wrote into it.
Django looks for this module alone; the pages are in `admin_site`.
"""

from django.contrib import admin

from .admin_site import (
    accounts,
    api_tokens,
    audit_trail,
    books,
    customers,
    groups,
    rejected_records,
    transactions,
    webhooks,
)
from .admin_site.alerts import listing as alerts
from .admin_site.rules import listing as rules
from .admin_site.rules import user_lists
from .admin_site.uploads import listing as uploads

__all__ = [
    "accounts",
    "alerts",
    "api_tokens",
    "audit_trail",
    "books",
    "customers",
    "groups",
    "rejected_records",
    "rules",
    "transactions",
    "uploads",
    "user_lists",
    "webhooks",
]

# What there is not is told by the page of all paths, with DEBUG too.
admin.site.final_catch_all_view = False
# For who may not see transactions, too.
admin.site.index_title = "Overview"
admin.site.index_template = "transactions/dashboard.html"
