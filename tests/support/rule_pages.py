"""The admin's pages of rules as a browser sees them, and who uses them."""

import html
import re
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from transactions.rules import lifecycle
from transactions.rules.models import Rule, Version

HOSTILE_NAME = "<script>alert('1')</script>&{{7*7}}"


def member(name: str, *rights: str) -> tuple[Client, User]:
    """One of the staff who may do this with rules ("view", "change", "approve"), with a client."""
    user = User.objects.create_user(name, is_staff=True)
    codenames = [f"{right}_rule" for right in rights]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client, user


def drafted(
    kind: str = "amount", author: User | None = None, name: str = "Large", **parameters: Any
) -> Version:
    """A draft, of a rule of that name."""
    rule, _ = Rule.objects.get_or_create(
        name=name, defaults={"severity": "HIGH", "description": "Call them."}
    )
    return lifecycle.draft(rule, kind, parameters or {"amount": 1000}, author)


def submitted(author: User | None = None, **more: Any) -> Version:
    version = drafted(author=author, **more)
    lifecycle.submit(version)
    return version


def at(name: str, *keys: int) -> str:
    """The path of a page of rules."""
    return reverse(f"admin:rules_{name}", args=keys)


def step(version: Version, name: str) -> str:
    return reverse("admin:rules_rule_step", args=[version.rule_id, version.number, name])


def text_of(client: Client, path: str) -> str:
    """What a page says, without its markup."""
    response = client.get(path)
    assert response.status_code == 200, path
    return plain(response.content.decode())


def plain(markup: str) -> str:
    """The text of markup, in one line."""
    body = markup[markup.index("<body") :]
    apart = re.sub(r"</(t[dhr]|div|d[td]|h\d|p|li|label|button|option|a|legend)>", " ", body)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", apart)))


def sent(client: Client, path: str, **fields: Any) -> str:
    """What the page says that follows on a form."""
    given = {name.replace("__", "."): value for name, value in fields.items()}
    response = client.post(path, given, follow=True)
    assert response.status_code == 200, response.status_code
    return plain(response.content.decode())
