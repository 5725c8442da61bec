"""Rules and lists as they are noted in the audit trail; steps of versions are noted by `lifecycle`."""

from ..audit.actions import Action
from ..audit.changes import Followed, follow
from .models import Rule, UserList

RULES = Followed(
    Action.RULE_MADE, Action.RULE_CHANGED, Action.RULE_DELETED, fields=("name", "severity", "description")
)
LISTS = Followed(Action.LIST_MADE, Action.LIST_CHANGED, Action.LIST_DELETED, fields=("name", "description"))


def connect_signals() -> None:
    """From now on rules and lists made, changed or deleted are noted; for the application's start."""
    follow(Rule, RULES)
    follow(UserList, LISTS)
