"""Operations imports files: who runs the payments by day has those of other systems to bring.

A group that somebody has changed since it was made stays as it is.
"""

from importlib import import_module
from typing import Any

from django.db import migrations

groups_to_begin_with = import_module("transactions.migrations.0017_groups_to_begin_with")

GROUP = "Operations"
AS_MADE = set(groups_to_begin_with.GROUPS[GROUP])
IMPORT = ("uploads", "upload", "import_upload", "Can import files of transactions")


def give(apps: Any, schema_editor: Any) -> None:
    for group in apps.get_model("auth", "Group").objects.filter(name=GROUP):
        if _held(group) == AS_MADE:
            group.permissions.add(_permission(apps))


def take(apps: Any, schema_editor: Any) -> None:
    for group in apps.get_model("auth", "Group").objects.filter(name=GROUP):
        if _held(group) == AS_MADE | {f"{IMPORT[0]}.{IMPORT[2]}"}:
            group.permissions.remove(_permission(apps))


def _held(group: Any) -> set[str]:
    return {f"{each.content_type.app_label}.{each.codename}" for each in group.permissions.all()}


def _permission(apps: Any) -> Any:
    """Django makes permissions only after all migrations: here as it would make it."""
    label, model, codename, name = IMPORT
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=label, model=model
    )
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=codename, defaults={"name": name}
    )
    return permission


class Migration(migrations.Migration):
    dependencies = [("transactions", "0017_groups_to_begin_with")]

    operations = [migrations.RunPython(give, take)]
