"""Whatever a file holds: it is a table, or the reason why not is told. Nothing else comes of it."""

import gzip
import random

import pytest

from tests.importing.reading import table_of, zipped
from tests.importing.test_bank_statements import BATCH, ENTRY, MT940, OFX, OFX_2, OFX_HEAD, camt
from tests.importing.test_spreadsheet import MONTH, book
from transactions.importing.table import FileError

CSV = 'id;amount;name\n1;12,50;"Anna ""A"" Müller"\n2;3,00;Bob\n' * 3
JSON = '{"next": null, "results": [{"id": "a", "amount": 1.5e2, "payer": {"name": "Anna"}}, {"id": 5}]}'
FILES = {
    "csv": CSV.encode("cp1252"),
    "csv in UTF-16": CSV.encode("utf-16"),
    "json": JSON.encode(),
    "json lines": b'{"id": "a", "amount": [1.5], "b": null}\n' * 5,
    "gzip": gzip.compress(CSV.encode(), mtime=0),
    "zip": zipped(payments__csv=CSV.encode()),
    "xlsx": book(["id", "amount", "at"], ["a", 1.5, MONTH], ["b", True, "#N/A"]),
    "camt": camt(ENTRY, BATCH),
    "ofx": (OFX_HEAD + OFX).encode("latin-1"),
    "ofx in XML": OFX_2.encode(),
    "mt940": MT940.encode(),
}


def refusal(content: bytes) -> str:
    try:
        list(table_of(content, "file").rows())
    except FileError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_damaged_file_is_a_table_or_refused(content: bytes) -> None:
    for seed in range(150):
        chance, damaged = random.Random(seed), bytearray(content)
        for _ in range(chance.randrange(1, 6)):
            damaged = damaged or bytearray(content)
            at = chance.randrange(len(damaged))
            match chance.randrange(4):
                case 0:
                    damaged[at] = chance.randrange(256)
                case 1:
                    del damaged[at : at + chance.randrange(1, 20)]
                case 2:
                    damaged[at:at] = damaged[: chance.randrange(1, 30)]
                case _:
                    del damaged[max(1, at) :]
        told = refusal(bytes(damaged))
        assert "\n" not in told
        assert len(told) < 400
