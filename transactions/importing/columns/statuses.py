"""Statuses by the words that other systems have for them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...models import Status
from ..wording import said
from .proofs import CellError

_WORDS = {
    Status.SUCCESS: """success succeeded successful successfully complete completed paid settled captured
        approved gebucht umsatzgebucht ok okay done booked book cleared posted processed available charged
        transferred confirmed reconciled
        abgeschlossen bezahlt erfolgreich verbucht erledigt terminé payé completado
        pagado completato voltooid""",
    Status.PENDING: """pending processing process inprogress open authorized authorised created held onhold
        awaiting awaitingpayment submitted queued initiated unsettled uncleared pdng waiting intransit
        requiresaction requirescapture requiresconfirmation unpaid ausstehend vorgemerkt
        umsatzvorgemerkt offen unbezahlt inbearbeitung enattente pendiente""",
    Status.FAILED: """failed failure fail declined denied refused rejected canceled cancelled voided void
        expired error errored aborted unsuccessful blocked timedout fehlgeschlagen abgelehnt storniert
        abgebrochen abgelaufen échoué refusé annulé fallido rechazado cancelado""",
}
_BETWEEN = re.compile(r"[\s_./-]+")
# Words of which a system may mean either, and who has the file knows: refunded, reversed, returned, disputed.


def plain(word: str) -> str:
    """A word as it is compared: without case and accents, and without what stands between its parts."""
    bare = _BETWEEN.sub("", word.strip()).casefold()
    if bare.isascii():
        return bare
    return "".join(each for each in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(each))


KNOWN = {plain(word): str(status) for status, words in _WORDS.items() for word in words.split()}


@dataclass(frozen=True, slots=True)
class StatusForm:
    """How a column's words are read; `empty` is the status of an empty cell, "" where there is none."""

    stated: Mapping[str, str]
    empty: str

    def read(self, cell: str) -> str:
        """PENDING, SUCCESS or FAILED. Raises CellError."""
        word = cell.strip()
        if not word:
            if self.empty:
                return self.empty
            raise CellError(
                f"the status is empty: write a word, or state what an empty one means ({said('status')})"
            )
        if found := self.find(word):
            return found
        raise CellError("“…” is no known status: state whether it is SUCCESS, PENDING or FAILED", word)

    def find(self, word: str) -> str:
        """The status of a word, a stated one before a common one; "" where nobody knows it."""
        return self.stated.get(plain(word)) or KNOWN.get(plain(word), "")

    def states(self, word: str) -> bool:
        """Whether somebody has said what the word means."""
        return plain(word) in self.stated


def form_of(statuses: Mapping[str, str], empty: str) -> StatusForm:
    """How words are read where `statuses` states some, in any case."""
    return StatusForm({plain(word): status for word, status in statuses.items()}, empty)


def known_share(cells: Iterable[str]) -> float:
    """Which part of the cells that are not empty are common words for a status; 0 where all are empty."""
    found = [plain(cell) in KNOWN for cell in cells if cell.strip()]
    return sum(found) / len(found) if found else 0.0
