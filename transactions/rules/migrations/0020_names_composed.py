"""Names of rules and lists are kept composed (NFC): two that look the same, letter by letter, are one.

A list keeps its name otherwise, by which rules know it; these read their own wording composed, too.
"""

from typing import Any
from unicodedata import normalize

from django.core.management.base import CommandError
from django.db import IntegrityError, migrations, transaction

WHAT_TO_DO = (
    "There is a {} “{}” twice: the letters are put together otherwise. Rename one of them, and migrate "
    "again: a rule by PATCH /api/rules/<id>/ of the release before, a list by SQL, once no version in force "
    "names it."
)


def compose(apps: Any, schema_editor: Any) -> None:
    """Raises CommandError, which says what to do where two names become one."""
    for what, model in (("rule", "Rule"), ("list", "UserList")):
        rows = apps.get_model("rules", model)._default_manager.using(schema_editor.connection.alias)
        known = list(rows.order_by("pk").values_list("pk", "name"))
        wanted = [(key, name) for key, name in known if normalize("NFC", name) != name]
        if not wanted:
            continue
        table = schema_editor.quote_name(rows.model._meta.db_table)
        schema_editor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for key, name in wanted:
            try:
                with transaction.atomic(schema_editor.connection.alias):
                    rows.filter(pk=key).update(name=normalize("NFC", name))
            except IntegrityError:
                raise CommandError(WHAT_TO_DO.format(what, name)) from None
        schema_editor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


class Migration(migrations.Migration):
    dependencies = [("rules", "0019_words_of_people")]

    operations = [migrations.RunPython(compose, migrations.RunPython.noop)]
