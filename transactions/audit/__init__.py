"""The audit trail: who did what, when, and from where; only ever added to."""
