"""What docs/audit.md says: its program, its roles, and its list of actions."""

import json
import re
import subprocess
import sys

import pytest
from django.db import Error as DatabaseError
from django.db import connection, transaction
from rest_framework.test import APIClient

from tests.support.audit_trail import newest
from tests.support.serving import ROOT
from transactions.audit.actions import Action
from transactions.audit.entries import note

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = (ROOT / "docs" / "audit.md").read_text()
PROGRAM = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
ROLES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)[0]


def reckoned(answer: object) -> tuple[int, str]:
    """What the page's program says of an answer of the API."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(answer), capture_output=True, text=True
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def test_its_program_reckons_the_hashes_again(api: APIClient) -> None:
    for number in range(3):
        note(
            Action.USER_CHANGED, f"é {number}", reason="a\nb", said=["é", {"b": None, "a": "\ud800"}], n=2**70
        )
    answer = api.get("/api/audit/?limit=3").json()
    assert reckoned(answer) == (0, "3 entries are what was written")
    numbers = [entry["number"] for entry in answer["results"]]
    changed = json.loads(json.dumps(answer))
    changed["results"][1]["details"]["n"] += 1
    assert reckoned(changed) == (1, f"entry {numbers[1]} is not what was written")
    del answer["results"][1]
    assert reckoned(answer) == (1, f"entry {numbers[0]} is not what was written")


def test_with_its_roles_the_application_cannot_switch_the_triggers_off() -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("CREATE ROLE auditor; CREATE ROLE application")
            cursor.execute(ROLES.replace("TO transactions;", "TO application;"))
            cursor.execute("GRANT USAGE ON SCHEMA public TO application; SET LOCAL ROLE application")
            for statement in (
                "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
                "TRUNCATE audit_entry",
                "DELETE FROM audit_head",
                "UPDATE audit_head SET number = 0",
            ):
                with pytest.raises(DatabaseError), transaction.atomic():
                    cursor.execute(statement)
            note(Action.USER_CHANGED, "by the application's role")
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            assert newest()[0].target == "by the application's role"
        transaction.set_rollback(True)


def test_it_names_every_action() -> None:
    named = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", PAGE))
    of_group = {action for action in Action.values if action.startswith("group.")}
    assert set(Action.values) - named == of_group
