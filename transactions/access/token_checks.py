"""Tokens as they are checked at every request, and known in the process for a minute.

While PostgreSQL does not answer intake goes on: a token that this process knows, or that Redis
remembers (see `token_copies`), goes on being valid, and one that was revoked stays revoked.
"""

import hashlib
import logging
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.contrib.auth.models import User
from django.db import Error as DatabaseError
from django.db.models.signals import ModelSignal, post_delete, post_save
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from ..models import ApiToken
from . import token_copies
from .rights import Right, Rights, rights_of
from .tokens import _FORM, digest_of

log = logging.getLogger(__name__)

# For how long a check holds, in seconds: with RECHECK_S and a moment for the look-up itself, what
# is revoked is refused within a minute.
KNOWN_S = 50.0

# While one request asks PostgreSQL again, the others go on with what is known, for this long.
RECHECK_S = 5.0

# There are only so many clients; beyond it all are asked for again.
KNOWN_TOKENS_MAX = 10_000

LAST_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Access:
    """What a valid token opens: the account that it acts for, and that account's rights."""

    name: str
    user: User
    rights: Rights
    expires_at: datetime | None
    digest: str

    @property
    def caller(self) -> str:
        """Whose bucket its requests are counted in; see `rate_limits`."""
        return f"token:{self.digest[:32]}"

    def valid_now(self) -> bool:
        return self.expires_at is None or timezone.now() < self.expires_at


@dataclass(slots=True)
class Checked:
    """A token that PostgreSQL has vouched for, and when to ask it again (on the monotonic clock)."""

    access: Access
    ask_again_at: float
    # When the fast lane has last left a request to whoever asks.
    left_at: float = -RECHECK_S

    def is_idle(self, now: float) -> bool:
        """Nobody has asked for so long that a revocation may be older than a minute."""
        return now >= self.ask_again_at + RECHECK_S


@dataclass(slots=True)
class CheckedTokens:
    """The tokens that this process knows, by digest. Safe for threads."""

    _entries: dict[str, Checked] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, digest: str) -> tuple[Access | None, bool]:
        """What is known, and whether the caller is the one who is to ask again."""
        now = monotonic()
        with self._lock:
            entry = self._entries.get(digest)
            if entry is None:
                return None, True
            if now < entry.ask_again_at:
                return entry.access, False
            if not entry.is_idle(now):
                entry.ask_again_at = now + RECHECK_S
            return entry.access, True

    def fresh(self, digest: str) -> Access | None:
        """What is known. None where it has to be asked for: when that is due, for one caller, who does
        it, while the others go on with what is known, and again for one as long as PostgreSQL is
        silent; for everybody where nobody has asked for long.
        """
        entry, now = self._entries.get(digest), monotonic()
        if entry is None or entry.is_idle(now) or not entry.access.valid_now():
            return None
        if now < entry.ask_again_at or now < entry.left_at + RECHECK_S:
            return entry.access
        entry.left_at = now
        return None

    def put(self, digest: str, access: Access | None) -> None:
        """Keeps what PostgreSQL said; None forgets the token."""
        with self._lock:
            self._entries.pop(digest, None)
            if access is None:
                return
            if len(self._entries) >= KNOWN_TOKENS_MAX:
                self._entries.clear()
            self._entries[digest] = Checked(access, monotonic() + KNOWN_S)


checked_tokens = CheckedTokens()


@sensitive_variables("token")
def check(token: str) -> Access | None:
    """What `token` opens; None for one that is unknown, expired or revoked, or whose account is closed.

    Raises django.db.Error for a token new to this process while PostgreSQL does not answer.
    """
    if not _FORM.fullmatch(token):
        return None
    digest = digest_of(token)
    access, ask = checked_tokens.get(digest)
    if ask:
        try:
            access = _ask(digest)
        except DatabaseError as error:
            copy, revoked = token_copies.recall(digest)
            access = None if revoked else access or _from(copy, digest)
            if access is None and not revoked:
                raise
            state = "is revoked" if revoked else "stays valid"
            log.warning("PostgreSQL cannot be asked about a token (%s); it %s", type(error).__name__, state)
        checked_tokens.put(digest, access)
    return access if access is not None and access.valid_now() else None


def known(token: str) -> Access | None:
    """What `token` opens as far as this process knows without asking: for who cannot wait."""
    if not _FORM.fullmatch(token):
        return None
    return checked_tokens.fresh(hashlib.sha256(token.encode()).hexdigest())


def _ask(digest: str) -> Access | None:
    """What PostgreSQL says; Redis is told of it."""
    row = ApiToken.objects.select_related("user").filter(digest=digest, revoked_at=None).first()
    if row is None or not row.user.is_active:
        token_copies.forget([digest])
        return None
    access = Access(row.name, row.user, rights_of(row.user), row.expires_at, digest)
    if access.valid_now():
        _note_use(row)
        token_copies.keep(digest, _copy(access))
    return access


def _copy(access: Access) -> token_copies.Copy:
    return {
        "name": access.name,
        "user": access.user.pk,
        "username": access.user.username,
        "rights": sorted(access.rights),
        "expires_at": access.expires_at.isoformat() if access.expires_at is not None else None,
    }


def _from(copy: Any, digest: str) -> Access | None:
    if copy is None:
        return None
    user = User(pk=copy["user"], username=copy["username"])
    expires_at = datetime.fromisoformat(copy["expires_at"]) if copy["expires_at"] else None
    return Access(copy["name"], user, frozenset(map(Right, copy["rights"])), expires_at, digest)


def connect_signals() -> None:
    """From now on a token revoked, or an account closed, by whatever program, is noted in Redis too."""
    post_save.connect(_token_changed, sender=ApiToken)
    post_delete.connect(_token_changed, sender=ApiToken)
    post_save.connect(_account_changed, sender=User)


def _token_changed(instance: ApiToken, signal: ModelSignal, **_: Any) -> None:
    if signal is post_delete or instance.revoked_at is not None:
        token_copies.mark_revoked([instance.digest])


def _account_changed(instance: User, **_: Any) -> None:
    if not instance.is_active:
        token_copies.forget(instance.api_tokens.values_list("digest", flat=True))


def _note_use(row: ApiToken) -> None:
    now = timezone.now()
    if row.last_used_at is None or now - row.last_used_at >= LAST_USED_EVERY:
        try:
            ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
        except DatabaseError as error:
            log.warning("The last use of a token was not noted: %s", type(error).__name__)
