"""The uploads as an application of Django's."""

from django.apps import AppConfig


class UploadsConfig(AppConfig):
    name = "transactions.uploads"
    label = "uploads"
    default_auto_field = "django.db.models.BigAutoField"
