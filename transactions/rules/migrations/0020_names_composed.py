"""Names of rules and lists are kept composed (NFC): two that look the same, letter by letter, are one.

A list keeps its name otherwise, by which rules know it; these read their own wording composed, too.
"""

from typing import Any
from unicodedata import normalize

from django.core.management.base import CommandError
from django.db import IntegrityError, migrations, transaction

NAME_MAX = 100
AGAIN = "and migrate again:"
TWICE = f"There is a {{}} “{{}}” twice: the letters are put together otherwise. Rename one of them, {AGAIN} "
# Some letters are kept as two signs.
TOO_LONG = f"The {{}} “{{}}” grows past {NAME_MAX} characters as it is kept now. Rename it, {AGAIN} "
HOW = {
    "rule": "by PATCH /api/rules/<id>/ of the release before.",
    "list": "by SQL, once no version in force names it: BEGIN; "
    "ALTER TABLE rules_userlist DISABLE TRIGGER USER; "
    "UPDATE rules_userlist SET name = '<name>' WHERE id = <id>; "
    "ALTER TABLE rules_userlist ENABLE TRIGGER USER; COMMIT;",
}


def compose(apps: Any, schema_editor: Any) -> None:
    """Raises CommandError, which says what to do where two names become one, or one is too long then."""
    for what, model in (("rule", "Rule"), ("list", "UserList")):
        rows = apps.get_model("rules", model)._default_manager.using(schema_editor.connection.alias)
        known = list(rows.order_by("pk").values_list("pk", "name"))
        wanted = [(key, name) for key, name in known if normalize("NFC", name) != name]
        for _, name in wanted:
            if len(normalize("NFC", name)) > NAME_MAX:
                raise CommandError(TOO_LONG.format(what, name) + HOW[what])
        if not wanted:
            continue
        table = schema_editor.quote_name(rows.model._meta.db_table)
        schema_editor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for key, name in wanted:
            try:
                with transaction.atomic(schema_editor.connection.alias):
                    rows.filter(pk=key).update(name=normalize("NFC", name))
            except IntegrityError:
                raise CommandError(TWICE.format(what, name) + HOW[what]) from None
        schema_editor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


class Migration(migrations.Migration):
    dependencies = [("rules", "0019_words_of_people")]

    operations = [migrations.RunPython(compose, migrations.RunPython.noop)]
