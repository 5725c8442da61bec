"""The audit trail as an application of Django's."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "transactions.audit"
    label = "audit"
    default_auto_field = "django.db.models.BigAutoField"
