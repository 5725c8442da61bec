"""What a token opens: asked of PostgreSQL, and then known in the process for a minute.

While PostgreSQL does not answer intake goes on: a token that this process knows, or that Redis
remembers (see `token_copies`), goes on being valid, and one that has ended stays so.
"""

import logging
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.contrib.auth.models import User
from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models.signals import ModelSignal, post_delete, post_save
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from ..models import ApiToken
from . import token_copies
from .rights import Right, Rights, rights_of
from .tokens import FORM, digest_of

log = logging.getLogger(__name__)

# For how many seconds PostgreSQL's word on a token holds.
KNOWN_S = 50.0
# Then one request asks again, and for so many seconds the others go on with what is known. Both
# together, and the look-up, are under a minute: by then a revoked token is refused everywhere.
RECHECK_S = 5.0
# Tokens that a process knows; beyond it, it forgets all and asks again.
KNOWN_TOKENS_MAX = 10_000
# How often the last use of a token is written to its row, at most.
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
    # When `fresh` last sent a request to ask.
    sent_at: float = -RECHECK_S

    def is_idle(self, now: float) -> bool:
        """Nobody used the token for so long that it may have been revoked more than a minute ago."""
        return now >= self.ask_again_at + RECHECK_S


@dataclass(slots=True)
class CheckedTokens:
    """The tokens that this process knows, by digest. Safe for threads."""

    _entries: dict[str, Checked] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, digest: str) -> tuple[Access | None, bool]:
        """What is known, and whether whoever calls this is to ask PostgreSQL again."""
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
        """What is known and may be used without asking; None where PostgreSQL has to be asked first.

        Once that is due, one caller every RECHECK_S gets None and is the one who asks; the others go on
        with what is known. Of an idle token everybody gets None.
        """
        entry, now = self._entries.get(digest), monotonic()
        if entry is None or entry.is_idle(now) or not entry.access.valid_now():
            return None
        if now < entry.ask_again_at or now < entry.sent_at + RECHECK_S:
            return entry.access
        entry.sent_at = now
        return None

    def seen(self, digest: str) -> Access | None:
        """What was known the last time, however long ago that was."""
        entry = self._entries.get(digest)
        return entry.access if entry is not None else None

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
    if not FORM.fullmatch(token):
        return None
    digest = digest_of(token)
    access, ask = checked_tokens.get(digest)
    if ask:
        try:
            access = _ask(digest)
        except DatabaseError as error:
            copy, ended = token_copies.recall(digest)
            access = None if ended else access or _from(copy, digest)
            if access is None and not ended:
                raise
            state = "is revoked, or its account closed" if ended else "stays valid"
            log.warning("PostgreSQL cannot be asked about a token (%s); it %s", type(error).__name__, state)
        checked_tokens.put(digest, access)
    return access if access is not None and access.valid_now() else None


def known(token: str) -> Access | None:
    """What `token` opens, if this process knows it without asking: for an event loop, which cannot wait."""
    if not FORM.fullmatch(token):
        return None
    return checked_tokens.fresh(digest_of(token))


def seen(token: str) -> Access | None:
    """What `token` opened when this process last used it. It may have been revoked since."""
    return checked_tokens.seen(digest_of(token)) if FORM.fullmatch(token) else None


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
    """From now on a token revoked, or an account closed or opened, by whatever program, is noted in Redis."""
    post_save.connect(_token_changed, sender=ApiToken)
    post_delete.connect(_token_changed, sender=ApiToken)
    post_save.connect(_account_changed, sender=User)


def _token_changed(instance: ApiToken, signal: ModelSignal, **_: Any) -> None:
    if signal is post_delete or instance.revoked_at is not None:
        token_copies.mark_revoked([instance.digest])


def _account_changed(
    instance: User, created: bool, update_fields: frozenset[str] | None = None, **_: Any
) -> None:
    # Who logs in is saved too, with the moment alone.
    if created or (update_fields is not None and "is_active" not in update_fields):
        return
    digests = list(instance.api_tokens.values_list("digest", flat=True))
    if instance.is_active:
        # Should it come to nothing, the account is closed as before.
        transaction.on_commit(lambda: token_copies.reopen(digests))
    else:
        token_copies.mark_closed(digests)


def _note_use(row: ApiToken) -> None:
    now = timezone.now()
    if row.last_used_at is None or now - row.last_used_at >= LAST_USED_EVERY:
        try:
            ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
        except DatabaseError as error:
            log.warning("The last use of a token was not noted: %s", type(error).__name__)
