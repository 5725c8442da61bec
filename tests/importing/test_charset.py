"""How a file is encoded is proved by all its bytes, or asked for."""

import codecs

import pytest

from tests.importing.reading import cells_of, rows_of, table_of
from transactions.importing.guess import guess
from transactions.importing.mapping import Mapping
from transactions.importing.table import FileError

TEXT = "id;name\n1;Müller\n2;Søren Ørsted\n"
# No byte beyond ASCII in what anybody would look at first.
FAR = "id;name\n" + "1;abc\n" * 200_000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (TEXT.encode(), "UTF-8"),
        (TEXT.encode("utf-8-sig"), "UTF-8 with a byte order mark"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "UTF-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "UTF-16"),
        (TEXT.encode("utf-16-le"), "UTF-16"),
        (TEXT.encode("utf-16-be"), "UTF-16"),
        (TEXT.encode("utf-32"), "UTF-32"),
        (TEXT.encode("latin-1"), "Latin-1"),
        (TEXT.encode("cp1252"), "Latin-1"),
        ((TEXT + "3;Anna’s €5\n").encode("cp1252"), "Windows-1252"),
        (TEXT.encode("ascii", "replace"), "UTF-8"),
    ],
)
def test_the_bytes_tell_the_encoding(content: bytes, words: str) -> None:
    assert table_of(content).form == f"CSV, semicolons, {words}"
    if b"?" not in content:
        assert cells_of(content)[:2] == [["1", "Müller"], ["2", "Søren Ørsted"]]


@pytest.mark.parametrize(
    ("codec", "name", "taken"), [("cp1250", "Łukasz Żak", "Latin-1"), ("cp1250", "Šárka", "Windows-1252")]
)
def test_an_encoding_that_is_guessed_says_so_and_how_another_is_stated(
    codec: str, name: str, taken: str
) -> None:
    """Of Windows-1250 every byte is a letter of Windows-1252 too."""
    content = f"id;customer;amount\n1;{name};1,50\n".encode(codec)
    (told, *_) = guess(table_of(content), Mapping()).reasons
    assert f"is taken for {taken}" in told
    assert told.endswith("state how it is encoded, as encoding=cp1250.")
    stated = table_of(content, encoding=codec)
    assert (stated.doubt, table_of(TEXT.encode()).doubt) == ("", "")


def test_a_single_byte_at_the_end_of_a_long_file_counts() -> None:
    assert table_of((FAR + "2;Müller\n").encode("latin-1")).form == "CSV, semicolons, Latin-1"
    assert table_of((FAR + "2;€\n").encode("cp1252")).form == "CSV, semicolons, Windows-1252"
    assert table_of((FAR + "2;€\n").encode()).form == "CSV, semicolons, UTF-8"


def test_two_encodings_in_one_file_are_refused_with_a_line_of_each() -> None:
    mixed = TEXT.encode() + "3;Müller\n".encode("latin-1")
    with pytest.raises(FileError, match="line 2 is UTF-8 and line 4 is not: two encodings in one file"):
        table_of(mixed)
    assert cells_of(mixed, encoding="latin-1")[2] == ["3", "Müller"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("cp850", TEXT), ("cp437", "id;name\n1;Köln\n"), ("mac_roman", "id;name\n1;Genève\n")],
)
def test_what_is_no_text_in_windows_1252_is_asked_for(encoding: str, text: str) -> None:
    with pytest.raises(FileError, match=r"line 2 is neither UTF-8 nor Windows-1252; say which encoding"):
        table_of(text.encode(encoding))
    assert cells_of(text.encode(encoding), encoding=encoding)[0][1] in text


def test_a_stated_encoding_is_proved_too() -> None:
    with pytest.raises(FileError, match="line 2 is not UTF-8; say which"):
        table_of(TEXT.encode("latin-1"), encoding="utf8")
    with pytest.raises(FileError, match="line 3 is not UTF-8"):
        table_of(codecs.BOM_UTF8 + b"id;a\n1;b\n2;\xff\n")
    with pytest.raises(FileError, match="is not UTF-16"):
        table_of((codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"))[:-1])
    for unknown in ("klingon", "hex", "a\0b"):
        with pytest.raises(FileError, match="no encoding is called"):
            table_of(TEXT.encode(), encoding=unknown)


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert table_of(TEXT.encode(encoding)).columns == ("id", "name")


def test_lines_are_told_by_all_line_breaks_that_there_are() -> None:
    for end in ("\r\n", "\r", "\n"):
        mixed = TEXT.replace("\n", end).encode() + b"3;\xfc" + end.encode()
        with pytest.raises(FileError, match="line 2 is UTF-8 and line 4 is not"):
            rows_of(mixed)


def test_a_file_without_line_breaks_is_read_no_further_than_a_line_may_be() -> None:
    with pytest.raises(FileError, match=r"line 1 is longer than 1,048,576 characters"):
        table_of(b"\xfc" * 3_000_000)
