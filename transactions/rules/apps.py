"""The rules as an application of Django's."""

from django.apps import AppConfig


class RulesConfig(AppConfig):
    name = "transactions.rules"
    label = "rules"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Once the models are loaded, in every process."""
        from ..notifications import advice
        from . import audited, texts

        audited.connect_signals()
        advice.come_from(texts.what_to_do)
