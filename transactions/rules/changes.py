"""Rules and lists made and renamed, and further drafts; `lifecycle` decides whether these may be."""

from typing import Any

from django.db import IntegrityError, transaction

from . import lifecycle, taken_names
from .models import Rule, UserList, Version
from .standing import said_by


class NameTaken(Exception):
    """There is one of that name already, or of one that differs in case alone."""


def create(name: str, kind: Any, parameters: Any, author: Any, *, severity: str, description: str) -> Rule:
    """A rule with its first draft. Raises NameTaken, and Unfit, which names the gap."""
    said = {"severity": severity, "description": description}
    # All that is wrong is told before it is tried.
    lifecycle.checked_form(kind, parameters)
    try:
        with transaction.atomic():
            rule = Rule.objects.create(name=name, **said)
            lifecycle.draft(rule, kind, parameters, author, **said)
    except IntegrityError as error:
        raise _told(error, Rule, name) from None
    return rule


def rename(rule: Rule, name: str) -> None:
    """Raises NameTaken. Alerts that there are keep the name that the rule had."""
    rule.name = name
    try:
        rule.save(update_fields=["name"])
    except IntegrityError as error:
        raise _told(error, Rule, name) from None


def draft(rule: Rule, author: Any, *, from_version: int | None = None, **said: Any) -> Version:
    """Another draft, as the version of that number, else as the one that stands for the rule, is.

    `said` is what it says otherwise: kind, parameters, severity, description. Raises Unfit, and
    Version.DoesNotExist where there is none to begin from.
    """
    earlier = said_by(rule) if from_version is None else rule.versions.get(number=from_version)
    wording = {
        name: getattr(earlier, name, None) for name in ("kind", "parameters", "severity", "description")
    }
    return lifecycle.draft(rule, author=author, **{**wording, **said})


def make_list(name: str, description: str) -> UserList:
    """A list on which nobody stands yet. Raises NameTaken."""
    try:
        with transaction.atomic():
            return UserList.objects.create(name=name, description=description)
    except IntegrityError as error:
        raise _told(error, UserList, name) from None


def _told(error: IntegrityError, model: taken_names.Named, name: str) -> Exception:
    """NameTaken where that is what PostgreSQL refused."""
    taken = taken_names.told(model, name)
    return error if taken is None else NameTaken(taken)
