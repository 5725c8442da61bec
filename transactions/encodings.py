"""How what a client sends is encoded: in UTF-8, whole, and as it states; whatever is not is never guessed."""

import re
import unicodedata
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from functools import lru_cache
from urllib.parse import unquote_to_bytes

CHARACTERS_TOLD_MAX = 60
MARKED = "The body begins with a byte order mark (U+FEFF): send it without."
UTF_16 = "The body is in UTF-16: send UTF-8."
NO_ESCAPE = 'The {} has "{}", which is no percent escape: "%" itself is "%25".'

# Each, however often it is stated: of two nobody knows which is meant.
_CHARSET = re.compile(r""";\s*charset\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)""", re.IGNORECASE)
_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
# Characters that nobody sees, whatever the font and wherever they stand, or that turn what follows them
# around; from the first to the last of each range. Spaces are not among them, nor are tab and line breaks.
UNSEEN_RANGES = (
    (0x00, 0x08), (0x0B, 0x0C), (0x0E, 0x1F), (0x7F, 0x9F),  # controls
    (0xAD, 0xAD), (0x61C, 0x61C), (0x180B, 0x180F), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F),
    (0xFEFF, 0xFEFF), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A),  # controls of format
    (0x34F, 0x34F), (0xFE00, 0xFE0F),  # a joiner of marks, selectors of variants
    (0x115F, 0x1160), (0x17B4, 0x17B5), (0x3164, 0x3164), (0xFFA0, 0xFFA0),  # fillers and silent vowels
    (0x2800, 0x2800),  # the empty cell of Braille
    (0xE0000, 0xE0FFF),  # tags, and more selectors
)  # fmt: skip
# As a whole nothing is seen of these categories either: separators, and what is like the above.
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
# Nor of these by a reader of ours: no font has them, or nothing stands before them that they would mark.
_UNSEEN_HERE = _UNSEEN_CATEGORIES | {"Cn", "Co", "Cs", "Mn"}
# Turn the order in which what follows is shown around: a reader may see another text than there is.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Pictures and arrows, some of which are drawn in colour or as they are, and tones of skin.
PICTURE_RANGES = (
    (0xA9, 0xA9), (0xAE, 0xAE), (0x203C, 0x203C), (0x2049, 0x2049), (0x2122, 0x2122), (0x2139, 0x2139),
    (0x2190, 0x21FF), (0x2300, 0x27BF), (0x2900, 0x297F), (0x2B00, 0x2BFF), (0x3030, 0x3030),
    (0x303D, 0x303D), (0x3297, 0x3299), (0x1F000, 0x1FAFF),
)  # fmt: skip
# Letters and their marks in scripts that join or stack them: Arabic to Sinhala, Myanmar, Khmer.
JOINED_RANGES = (
    (0x620, 0x65F), (0x66E, 0x6D3), (0x6FA, 0x8FF), (0x900, 0x963), (0x971, 0xDE5), (0xDF2, 0xDF3),
    (0x1000, 0x103F), (0x1780, 0x17B3), (0x17B6, 0x17D3),
)  # fmt: skip


def _one_of(ranges: tuple[tuple[int, int], ...]) -> re.Pattern[str]:
    return re.compile(f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in ranges)}]")


UNSEEN, _PICTURE, _JOINED = _one_of(UNSEEN_RANGES), _one_of(PICTURE_RANGES), _one_of(JOINED_RANGES)
# The selector that makes a picture of a symbol, and what a number of a key ends with.
_AS_PICTURE, _KEY = "\ufe0f", "\u20e3"
_ON_KEYS = tuple("#*0123456789")
# What no UTF-8 has, or no text of PostgreSQL; JSON can say both.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


@lru_cache(maxsize=256)
def charset_fault(content_type: str) -> str:
    """What is said to the charset of a Content-Type; "" where it states none, or UTF-8 in any spelling."""
    for stated in _CHARSET.findall(content_type):
        name = stated.strip().strip("\"'")
        if name.lower().replace("_", "-") not in ("utf-8", "utf8"):
            return f'Unsupported charset "{name[:CHARACTERS_TOLD_MAX]}". Send UTF-8.'
    return ""


def mark_fault(body: bytes) -> str:
    """What is said to a body that begins with a byte order mark; "" for any other."""
    if body.startswith(BOM_UTF8):
        return MARKED
    return UTF_16 if body.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else ""


def escapes_fault(text: str, what: str) -> str:
    """What is said to `text`, a query string or a form, called `what`, as it was sent; "" where it is right.

    Django would read bytes that are no UTF-8 as U+FFFD, all alike, and a half escape as it stands.
    """
    if wrong := _NO_ESCAPE.search(text):
        return NO_ESCAPE.format(what, wrong[0])
    try:
        unquote_to_bytes(text).decode()
    except UnicodeError:
        return f"The {what} is not UTF-8."
    return ""


def printable(text: str) -> str:
    """`text` for a person to read: what could steer a terminal, or cannot be seen, is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(error: object) -> str:
    """What an error says, in one line: PostgreSQL says it in several, with tabs."""
    return " ".join(str(error).split())


def one_line_end(text: str) -> str:
    """A text of several lines as we keep it: browsers end a line by CR LF, others by one of them."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def shows_something(text: str) -> bool:
    """Whether there is a character in `text` that a reader would see: of a name, or what somebody says."""
    return _has_one_beyond(_UNSEEN_HERE, text)


def may_show_something(text: str) -> bool:
    """The same of another system's id, which may have signs of that system's own, or a mark alone."""
    return _has_one_beyond(_UNSEEN_CATEGORIES, text)


def shows_nothing(text: str) -> bool:
    """Whether a `text` that may be left out is there, and a reader would yet see nothing of it."""
    return bool(text.strip()) and not shows_something(text)


def hides_something(text: str) -> bool:
    """Whether something in a printable `text` is seen by nobody: it would look as another text does."""
    return bool(UNSEEN.search(text))


def turns_around(text: str) -> bool:
    """Whether `text` says in which direction it is to be shown."""
    return bool(_TURNING.search(text))


def with_numbers(text: str) -> str:
    """A text as it is shown: what nobody sees in it, or turns it around, by its number."""
    return UNSEEN.sub(_number_of, text)


def _number_of(found: re.Match[str]) -> str:
    mark, text, at = found[0], found.string, found.start()
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return mark if _is_at_work(mark, before, after) else f"⟨{ord(mark):04X}⟩"


def _is_at_work(mark: str, before: str, after: str) -> bool:
    """Whether the signs beside a joiner or a selector look otherwise by it: then it is seen.

    The selector of a picture (U+FE0F) stands after a symbol or in the sign of a key; a joiner (U+200D)
    between two pictures, and both joiners (U+200C too) between letters of scripts that join theirs.
    """
    if mark == _AS_PICTURE:
        return bool(_PICTURE.match(before)) or (before in _ON_KEYS and after == _KEY)
    if mark == "\u200d" and _PICTURE.match(after):
        return bool(_PICTURE.match(before)) or before == _AS_PICTURE
    return mark in "\u200c\u200d" and bool(_JOINED.match(before) and _JOINED.match(after))


def checked_words(text: str, what: str, most: int) -> str:
    """What somebody says, or a name that somebody gives, as it is kept: all readers are to read the same.

    Raises ValueError, a sentence about `what`, where it is none, has more than `most` characters, shows
    nothing, or has others than readers see.
    """
    said = one_line_end(text).strip()
    if not said:
        raise ValueError(f"{what} must be given.")
    if any(unicodedata.category(character) == "Cc" and character not in "\n\t" for character in said):
        raise ValueError(f"{what} has no control characters.")
    if len(said) > most:
        raise ValueError(f"{what} has at most {most:,} characters: these are {len(said):,}.")
    if not shows_something(said):
        raise ValueError(f"{what} must be visible.")
    if turns_around(said):
        raise ValueError(f"{what} has no characters that turn the text around.")
    return said


def composed(text: str) -> str:
    """A text in the one of its forms that has the fewest characters (NFC): all of them look the same."""
    return unicodedata.normalize("NFC", text)


def _has_one_beyond(unseen: frozenset[str], text: str) -> bool:
    return any(
        unicodedata.category(character) not in unseen and not UNSEEN.match(character) for character in text
    )


def is_text(text: str) -> bool:
    """Whether PostgreSQL can be asked for it: it has no NUL, and no half of a pair of UTF-16."""
    return not _NO_TEXT.search(text)
