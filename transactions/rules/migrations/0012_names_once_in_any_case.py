"""Two rules, or two lists, whose names differ in case alone are taken for each other: there is one."""

from typing import Any

from django.core.management.base import CommandError
from django.db import migrations, models
from django.db.models.functions import Lower

TOLD_MAX = 10
WHAT_TO_DO = (
    "Names that differ in upper and lower case alone: {}. Rename one of each, and migrate again. A rule is "
    "renamed by PATCH /api/rules/<id>/ of the release before; a list by SQL, once no version in force "
    "names it."
)


def check(apps: Any, schema_editor: Any) -> None:
    """Raises CommandError, which says what to do where there are such names."""
    told = []
    for what, model in (("rules", "Rule"), ("lists", "UserList")):
        by_lower: dict[str, list[str]] = {}
        names = apps.get_model("rules", model)._default_manager.using(schema_editor.connection.alias)
        for name, lowered in names.order_by("pk").values_list("name", Lower("name")):
            by_lower.setdefault(lowered, []).append(f"“{name}”")
        told += [f"the {what} {' and '.join(same)}" for same in by_lower.values() if len(same) > 1]
    if told:
        raise CommandError(WHAT_TO_DO.format("; ".join(told[:TOLD_MAX])))


class Migration(migrations.Migration):
    dependencies = [("rules", "0011_debt_by_user")]

    operations = [
        migrations.RunPython(check, migrations.RunPython.noop),
        migrations.AddConstraint("rule", models.UniqueConstraint(Lower("name"), name="rule_name_once")),
        migrations.AddConstraint("userlist", models.UniqueConstraint(Lower("name"), name="list_name_once")),
    ]
