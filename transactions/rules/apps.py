"""The rules as an application of Django's."""

from django.apps import AppConfig


class RulesConfig(AppConfig):
    name = "transactions.rules"
    label = "rules"
    default_auto_field = "django.db.models.BigAutoField"
