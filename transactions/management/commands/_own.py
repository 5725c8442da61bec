"""What every command of this project is."""

from django.core.management.base import BaseCommand


class OwnCommand(BaseCommand):
    """Begins without Django's checks of the code, which load every page: `manage.py check` does that."""

    requires_system_checks: list[str] = []
