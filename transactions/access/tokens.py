"""Tokens of the API: how they look, how they are made and revoked; `token_checks` says what each opens."""

import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import CharField, Exists, OuterRef
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.debug import sensitive_variables

from ..audit.actions import Action
from ..audit.entries import note
from ..audit.models import Entry
from ..encodings import shows_something
from ..models import ApiToken
from . import token_copies
from .log_in_form import NAME_CHARACTERS_MAX
from .rights import NONE, Right, Rights, grant, rights_of

# Recognisable for people and for scanners of leaked secrets.
PREFIX = "txmon_"
SECRET_BYTES = 32
# Every token: the prefix, and the Base64 of its bytes.
FORM = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}", re.ASCII)

TAKEN = "There is a token of this name, or one alike: choose another."


class TokenError(Exception):
    """The token cannot be made or revoked as asked; the message says why.

    `in_a_form` says so to who has no command line, where that is to be said in other words.
    """

    def __init__(self, message: str, in_a_form: str = "") -> None:
        super().__init__(message)
        self.in_a_form = in_a_form or message


@sensitive_variables("token")
def digest_of(token: str) -> str:
    """What is kept of a token, in place of itself."""
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    name: str,
    *,
    username: str | None = None,
    rights: Rights | None = None,
    lifetime: timedelta | None = None,
) -> tuple[str, ApiToken]:
    """A new token, in clear for the only time, and its row. Raises TokenError.

    Without `username` it acts for a machine account of its own, which nobody can log in to and
    which may post and read unless `rights` says otherwise. An account named has the rights it has:
    where it lacks one of `rights` there is no token, since it would have it for good and in a browser too.
    """
    token = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    if not shows_something(name) or len(name) > 100 or not name.isprintable():
        raise TokenError("A token's name has 1 to 100 printable characters, one of them visible.")
    with transaction.atomic():
        if username is None:
            user = _machine_account(name)
            grant(user, rights if rights is not None else {Right.POST, Right.READ})
        else:
            user = _account(username, rights or NONE)
        try:
            row = ApiToken.objects.create(
                name=name,
                user=user,
                digest=digest_of(token),
                expires_at=timezone.now() + lifetime if lifetime is not None else None,
            )
        except IntegrityError:
            raise TokenError(
                f"There is a token named {name!r}. Revoke it first, or choose another name.", TAKEN
            ) from None
        note(
            Action.TOKEN_MADE,
            row,
            account=user.get_username(),
            rights=sorted(rights_of(user)),
            expires_at=row.expires_at,
        )
    return token, row


def _account(username: str, rights: Rights) -> User:
    """An account there is, which has these rights."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise TokenError(f"There is no user {username!r}.")
    if not user.is_active:
        raise TokenError(f"The user {username!r} is not active.")
    if lacking := sorted(rights - rights_of(user)):
        raise TokenError(
            f"The account {username!r} lacks {', '.join(lacking)}, and a token never gives it rights: "
            "grant them in the admin first, or leave --user out for an account of the token's own."
        )
    return user


def _machine_account(name: str) -> User:
    username = f"api-{slugify(name, allow_unicode=True)}"
    if username == "api-":
        raise TokenError(
            "The name has no letter or digit for the name of its account. Say which --user it acts for.",
            "The name has no letter or digit: its account is called after it.",
        )
    if len(username) > NAME_CHARACTERS_MAX:
        # What is one sign may be many letters.
        raise TokenError(
            f"Its account is called after it, and would have over {NAME_CHARACTERS_MAX} letters."
        )
    # An account left from an earlier token may have more rights than are asked for now.
    taken = TokenError(f"There is an account {username!r} already. Say --user {username} to use it.", TAKEN)
    if User.objects.filter(username=username).exists():
        raise taken
    try:
        # No password: nobody can log in with it.
        return User.objects.create_user(username)
    except IntegrityError:
        # Somebody was faster.
        raise taken from None


def note_expired() -> int:
    """Notes each token that has expired, once, and says how many. Raises django.db.Error."""
    noted = Entry.objects.filter(
        action=Action.TOKEN_EXPIRED, target=OuterRef("name"), target_id=Cast(OuterRef("pk"), CharField())
    )
    expired = ApiToken.objects.filter(expires_at__lte=timezone.now(), revoked_at=None)
    with transaction.atomic():
        rows = list(expired.filter(~Exists(noted)).order_by("pk").select_for_update())
        for row in rows:
            note(Action.TOKEN_EXPIRED, row, expires_at=row.expires_at)
    return len(rows)


def note_revoked_of(users: Collection[int]) -> None:
    """Notes that the valid tokens of accounts are revoked, which this transaction deletes."""
    for row in ApiToken.objects.filter(user_id__in=users, revoked_at=None).order_by("pk"):
        note(Action.TOKEN_REVOKED, row)


def revoke(name: str) -> None:
    """Ends the token of that name, in every process within a minute. Raises TokenError if there is none."""
    with transaction.atomic():
        rows = list(ApiToken.objects.filter(name=name, revoked_at=None).select_for_update())
        digests = [row.digest for row in rows]
        ApiToken.objects.filter(digest__in=digests).update(revoked_at=timezone.now())
        for row in rows:
            note(Action.TOKEN_REVOKED, row)
    token_copies.mark_revoked(digests)
    if not digests:
        raise TokenError(f"There is no valid token named {name!r}.")
