"""What is done to rules through API and pages; `rules.lifecycle` decides whether it may be."""

from typing import Any

from django.db import IntegrityError, transaction

from ..rules import documents, lifecycle
from ..rules.models import Rule, UserList, Version
from .bodies import NewVersion


class NameTaken(Exception):
    """There is one of that name already."""


def create(valid: dict[str, Any], author: Any) -> Rule:
    """A rule with its first draft, as NewRule says. Raises NameTaken, and Unfit, which names the gap."""
    said = {name: valid[name] for name in ("severity", "description")}
    # All that is wrong is told before it is tried.
    lifecycle.checked_form(valid["kind"], valid["parameters"])
    try:
        with transaction.atomic():
            rule = Rule.objects.create(name=valid["name"], **said)
            lifecycle.draft(rule, valid["kind"], valid["parameters"], author, **said)
    except IntegrityError as error:
        raise _told(error, Rule, valid["name"], "rule") from None
    return rule


def rename(rule: Rule, name: str) -> None:
    """Raises NameTaken. Alerts that there are keep the name that the rule had."""
    rule.name = name
    try:
        rule.save(update_fields=["name"])
    except IntegrityError as error:
        raise _told(error, Rule, name, "rule") from None


def draft(rule: Rule, posted: NewVersion, author: Any) -> Version:
    """Another draft. Raises Unfit, and Version.DoesNotExist where there is none to begin from."""
    valid = dict(posted.validated_data)
    back = valid.get("from_version")
    earlier = documents.said_by(rule) if back is None else rule.versions.get(number=back)
    parameters = valid.get("parameters", None if earlier is None else earlier.parameters)
    kind: Any = valid.get("kind", None if earlier is None else earlier.kind)
    said = {name: valid.get(name, getattr(earlier, name, None)) for name in ("severity", "description")}
    return lifecycle.draft(rule, kind, parameters, author, **said)


def make_list(valid: dict[str, Any]) -> UserList:
    """A list, as NewList says. Raises NameTaken."""
    try:
        with transaction.atomic():
            return UserList.objects.create(**valid)
    except IntegrityError as error:
        raise _told(error, UserList, valid["name"], "list") from None


def _told(error: IntegrityError, model: type[Rule] | type[UserList], name: str, what: str) -> Exception:
    """NameTaken where that is what PostgreSQL refused."""
    taken = model._default_manager.filter(name=name).exists()
    return NameTaken(f"there is a {what} “{name}” already") if taken else error
