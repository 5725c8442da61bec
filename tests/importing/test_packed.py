"""Files in gzip or zip, whole ones and hostile ones."""

import gzip
import io
import zipfile

import pytest

from tests.importing.reading import cells_of, table_of, zipped
from transactions.importing.forms import source
from transactions.importing.table import FileError

CSV = b"id,amount\n" + b"".join(b"%d,%d\n" % (number, number * 7919 % 1000) for number in range(20_000))


def test_gzip_and_zip_are_unpacked_and_said() -> None:
    for packed, words in (
        (gzip.compress(CSV), "gzip"),
        (zipped(payments__csv=CSV), "payments.csv in a zip"),
        (zipped(payments__csv__gz=gzip.compress(CSV)), "payments.csv.gz in a zip, gzip"),
        (gzip.compress(zipped(payments__csv=CSV)), "gzip, payments.csv in a zip"),
        (zipped(a___b__csv=CSV, __MACOSX___a___b__csv=b"x", readme__txt=b"Hello"), "b.csv in a zip"),
    ):
        assert table_of(packed).form == f"CSV, commas, UTF-8, {words}"
        assert len(cells_of(packed)) == 20_000


def test_several_parts_of_gzip_are_one_file() -> None:
    assert cells_of(gzip.compress(b"id\n1\n") + gzip.compress(b"2\n")) == [["1"], ["2"]]


def test_a_zip_of_several_tables_names_them() -> None:
    with pytest.raises(
        FileError, match=r"2 tables are in the zip \('a\.csv', 'b\.csv'\); state the one to import \(member\)"
    ):
        table_of(zipped(a__csv=CSV, b__csv=CSV))
    with pytest.raises(FileError, match="nothing is in the zip"):
        table_of(zipped())
    with pytest.raises(FileError, match="an OpenDocument file"):
        table_of(zipped(mimetype=b"application/vnd.oasis.opendocument.spreadsheet", content__xml=b"<x/>"))


def test_a_member_of_a_zip_is_stated_by_its_name_or_the_last_part_of_it() -> None:
    packed = zipped(a__csv=b"id\n1\n", in___b__csv=b"id\n2\n", in___c__csv=b"id\n3\n", or___c__csv=b"id\n4\n")
    assert cells_of(packed, member="a.csv") == [["1"]]
    assert cells_of(packed, member="b.csv") == [["2"]]
    assert cells_of(packed, member="or/c.csv") == [["4"]]
    with pytest.raises(FileError, match=r"several members of the zip are called 'c\.csv'; it has 'in"):
        table_of(packed, member="c.csv")
    with pytest.raises(FileError, match=r"no member of the zip is called 'd\.csv'; it has 'a\.csv', 'in/b"):
        table_of(packed, member="d.csv")
    with pytest.raises(FileError, match="member is stated, and that is of a zip of tables alone; this"):
        table_of(b"id\n1\n", member="a.csv")


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.999])
def test_a_cut_off_file_is_refused_when_it_is_opened(keep: float) -> None:
    packed = gzip.compress(CSV)
    with pytest.raises(FileError, match="the packed file is cut off"):
        table_of(packed[: int(len(packed) * keep)])
    packed = zipped(payments__csv=CSV)
    with pytest.raises(FileError, match="the zip is cut off or damaged"):
        table_of(packed[: int(len(packed) * keep)])


def test_a_damaged_file_is_refused() -> None:
    packed = bytearray(gzip.compress(CSV))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(FileError, match="the packed file is"):
        table_of(bytes(packed))
    with pytest.raises(FileError, match="the packed file is damaged"):
        table_of(gzip.compress(CSV) + b"more")

    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as file:
        file.writestr("payments.csv", CSV)
    with pytest.raises(FileError, match="the packed file is damaged"):
        table_of(stored.getvalue().replace(b"\n77,", b"\n78,", 1))


def test_an_encrypted_member_is_refused() -> None:
    packed = bytearray(zipped(payments__csv=CSV))
    packed[6] |= 1
    packed[packed.find(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(FileError, match=r"'payments\.csv' is encrypted or damaged"):
        table_of(bytes(packed))


def test_a_bomb_ends_at_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "TIMES_COUNT_FROM", 1 << 20)
    many = b"id,amount\n" + b"0,0\n" * 2_000_000

    for bomb in (gzip.compress(many), zipped(payments__csv=many)):
        with pytest.raises(FileError, match=r"more than \d+ MiB once unpacked"):
            table_of(bomb)
    with pytest.raises(FileError, match="packed more than twice"):
        table_of(gzip.compress(gzip.compress(gzip.compress(gzip.compress(CSV)))))


def test_a_zip_of_very_many_files_is_not_listed() -> None:
    packed = zipped(**{f"f{number}__csv": b"" for number in range(25_000)})
    with pytest.raises(FileError, match="a zip of too many files"):
        table_of(packed)


def test_what_is_read_here_and_there_is_unpacked_to_the_disk_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source, "SPOOLED_MAX", 10_000)
    with pytest.raises(FileError, match="once unpacked"):
        table_of(gzip.compress(b"PAR1\x15\0" + CSV))
