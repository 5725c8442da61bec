"""Names of fields and parameters that nobody here knows: each is told with what it may have meant.

A client chooses them, so what is said of them is bounded in number and in length.
"""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache

# Unknown names that one answer tells; the others are counted.
TOLD_MAX = 10
# Characters of a name that are told.
CHARACTERS_MAX = 60
# How much of a name must be that of a known one.
ALIKE = 0.6
# What is called so elsewhere, and not alike here.
CALLED_OTHERWISE = {"sort": "order", "sortby": "order", "orderby": "order", "ordering": "order"}

TWICE = "Give this once."
# Where the others are counted, as the REST framework calls what belongs to no field.
OTHERS = "non_field_errors"


class Repeated(dict[str, object]):
    """A JSON object in which some names stood more than once: of its values nobody knows which was meant."""

    def __init__(self, pairs: Iterable[tuple[str, object]], twice: Collection[str]) -> None:
        super().__init__(pairs)
        self.twice = twice


def faults(
    kind: str, given: Iterable[str], known: Collection[str], twice: Collection[str] = ()
) -> dict[str, list[str]]:
    """What is wrong with the names `given`, by name: those that are not `known`, and those given `twice`.

    `kind` is what they are names of: "field" or "parameter".
    """
    found = {name: TWICE for name in twice if name in known}
    unknown = [name for name in dict.fromkeys(given) if name not in known]
    for name in unknown[:TOLD_MAX]:
        found[shortened(name)] = _unknown(kind, name[:CHARACTERS_MAX], tuple(known))
    if len(unknown) > TOLD_MAX:
        found[OTHERS] = f"… and {len(unknown) - TOLD_MAX} more unknown {kind}s."
    return {name: [sentence] for name, sentence in found.items()}


def suggestion(name: str, known: Collection[str]) -> str:
    """The end of a sentence about the unknown `name`: what it may have meant, else what there is."""
    alike = meant(name, known)
    return f"; did you mean “{alike}”?" if alike else f"; known are {', '.join(known)}"


def meant(name: str, known: Iterable[str]) -> str:
    """The known name that an unknown one may have meant; "" where none is alike."""
    return _meant(name[:CHARACTERS_MAX], {_plain(each): each for each in known})


def shortened(text: str, most: int = CHARACTERS_MAX) -> str:
    """What of a client's text is told again."""
    return text if len(text) <= most else f"{text[:most]}…"


@lru_cache(maxsize=1024)
def _unknown(kind: str, name: str, known: tuple[str, ...]) -> str:
    if alike := meant(name, known):
        return f'Unknown {kind}. Did you mean "{alike}"?'
    return f"Unknown {kind}. Known are: {', '.join(known)}." if known else f"Unknown {kind}. There are none."


def _meant(name: str, known: Mapping[str, str]) -> str:
    """The known name of the same letters, else the one that is most alike; "" where none is."""
    plain = _plain(name)
    plain = plain if plain in known else CALLED_OTHERWISE.get(plain, plain)
    alike = [plain] if plain in known else get_close_matches(plain, known, 1, ALIKE)
    return known[alike[0]] if alike else ""


def _plain(name: str) -> str:
    """Without case and punctuation, in which programming languages differ."""
    return "".join(character for character in name.casefold() if character.isalnum())
