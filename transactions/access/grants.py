"""What people and tokens may be given, each right in words; and who may give what to whom.

Only what something in this system asks for is here: Django has a permission for each step with each table.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet

from .rights import Right, Rights, permission_of

# Under what it is about, each permission and what its holder may do.
SENTENCES: dict[str, dict[str, str]] = {
    "Transactions": {
        "transactions.view_transaction": "see transactions, customers, averages and health, live too",
        "transactions.add_transaction": "send transactions",
        "uploads.import_upload": "import files of transactions, by the admin",
        "transactions.delete_transaction": "delete everything, by the API",
    },
    "Customers": {
        "auth.add_user": "add customers, and whoever may change people adds those too",
        "transactions.add_customernote": "write notes on customers",
        "transactions.change_customernote": "mark notes on customers as reviewed",
    },
    "Alerts": {
        "alerts.view_alert": "see alerts",
        "alerts.change_alert": "deal with alerts",
    },
    "Rules": {
        "rules.view_rule": "see rules, their hits and lists",
        "rules.change_rule": "write rules and keep lists of customers",
        "rules.approve_rule": "bring rules into force and end them",
    },
    "Telling others": {
        "notifications.view_message": "pull events",
        "notifications.change_endpoint": "decide who is told by webhook and by mail",
    },
    "System": {
        "transactions.view_flushbatch": "see the pipeline, flush by flush",
        "transactions.view_rejectedrecord": "see rejected records",
        "transactions.change_rejectedrecord": "replay and discard rejected records",
        "transactions.view_epoch": "see the books",
        "transactions.change_epoch": "acknowledge the alarms of the books",
        "audit.view_entry": "read the audit trail",
    },
    "People and access": {
        "auth.view_user": "see people, and what they may",
        "auth.change_user": "change people, their passwords, and what they may",
        "auth.delete_user": "delete people and customers that have no transactions",
        "auth.view_group": "see groups",
        "auth.add_group": "make groups",
        "auth.change_group": "change groups, and what they may",
        "auth.delete_group": "delete groups",
        "transactions.view_apitoken": "see API tokens",
        "transactions.add_apitoken": "make API tokens",
        "transactions.change_apitoken": "revoke API tokens",
    },
}
# Rights whose pages open only for who may one of these too.
NEEDS: dict[str, tuple[str, ...]] = {
    "auth.add_user": ("transactions.view_transaction", "auth.change_user"),
    "transactions.add_customernote": ("transactions.view_transaction",),
    "transactions.change_customernote": ("transactions.view_transaction",),
    "alerts.change_alert": ("alerts.view_alert",),
    "rules.change_rule": ("rules.view_rule",),
    "rules.approve_rule": ("rules.view_rule",),
    "auth.delete_user": ("auth.view_user", "auth.change_user"),
    "auth.add_group": ("auth.view_group", "auth.change_group"),
    "auth.delete_group": ("auth.view_group", "auth.change_group"),
    "transactions.add_apitoken": ("transactions.view_apitoken", "transactions.change_apitoken"),
}
OFFERED = frozenset(name for sentences in SENTENCES.values() for name in sentences)

Permissions = frozenset[str]


def name_of(permission: Permission) -> str:
    """How code asks for a permission: by its application and codename."""
    return f"{permission.content_type.app_label}.{permission.codename}"


def all_permissions() -> QuerySet[Permission]:
    """Every permission that there is, with what its name is made of."""
    return Permission.objects.select_related("content_type")


def given_to(account: Any) -> Permissions:
    """What an account or a group was given, an account by its groups too; also while it may not log in.

    A superuser needs none of them: see `exceeds`.
    """
    if isinstance(account, Group):
        return _names(Q(group=account))
    return _names(Q(user=account) | Q(group__user=account))


def exceeds(account: Any, user: Any) -> bool:
    """Whether an account or a group may anything that `user` may not: then it is not `user`'s to change.

    Whoever changed the password of such an account could log in as it.
    """
    if user.is_superuser:
        return False
    if isinstance(account, User) and account.is_superuser:
        return True
    return not given_to(account) <= user.get_all_permissions()


def groups_within(user: Any) -> QuerySet[Group]:
    """The groups that `user` may put somebody into: those that may nothing that `user` may not."""
    groups = Group.objects.order_by("name")
    if user.is_superuser:
        return groups
    lacking = [each.pk for each in all_permissions() if not user.has_perm(name_of(each))]
    return groups.exclude(permissions__in=lacking)


def useless(permissions: Permissions) -> str:
    """Which of `permissions` leads nowhere without another that is not among them, in words; "" for none."""
    words = {name: said for sentences in SENTENCES.values() for name, said in sentences.items()}
    for name, needs in NEEDS.items():
        if name in permissions and not permissions & set(needs):
            lacking = " or ".join(words[each] for each in needs)
            return f"To {words[name]} is of no use without this: {lacking}."
    return ""


def in_words_of(rights: Rights) -> list[tuple[str, list[tuple[Right, str]]]]:
    """Rights of tokens under the same headings, in the same words."""
    rights_by_name = {permission_of(right): right for right in rights}
    told = [
        (
            heading,
            [(rights_by_name[name], words) for name, words in sentences.items() if name in rights_by_name],
        )
        for heading, sentences in SENTENCES.items()
    ]
    return [(heading, some) for heading, some in told if some]


def _names(which: Q) -> Permissions:
    return frozenset(name_of(each) for each in all_permissions().filter(which).distinct())


def in_words(permissions: Iterable[Permission]) -> list[tuple[str, list[tuple[Permission, str]]]]:
    """`permissions` under the headings of SENTENCES; those without a sentence come last, as Other."""
    left = {name_of(each): each for each in permissions}
    told = [
        (heading, [(left.pop(name), words) for name, words in sentences.items() if name in left])
        for heading, sentences in SENTENCES.items()
    ]
    others = [(each, f"{each.name} ({name})") for name, each in sorted(left.items())]
    return [(heading, some) for heading, some in [*told, ("Other", others)] if some]
