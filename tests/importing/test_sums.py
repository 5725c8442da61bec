"""What an import says at its end: what is new, and how far it came."""

import pytest

from transactions.importing import sums
from transactions.importing.mapping import Mapping
from transactions.importing.plan import Plan, RowSum, Summary
from transactions.importing.posting import ImportProgress

from .tables import EveryKey, table


def end_of(rows: int, progress: ImportProgress) -> list[str]:
    planned = Plan(table(["A"]), Mapping(decimals=2), Summary(rows=rows), EveryKey())
    return list(sums.of_end(progress, planned))[1:]


@pytest.mark.parametrize(
    ("replayed", "refused", "said"),
    [
        (3, 0, ["nothing is new: every row had been posted before"]),
        (2, 1, ["nothing is new: every row that is not refused had been posted before"]),
        # Nobody knows what the rest is.
        (2, 0, ["1 row not reached, behind line 4: the same again goes on there",
                "a run before had come to line 4: up to there nothing is new"]),
        (0, 3, []),
    ],
)  # fmt: skip
def test_it_says_that_nothing_is_new_only_of_a_whole_file(
    replayed: int, refused: int, said: list[str]
) -> None:
    before = 4 if replayed else 0
    progress = ImportProgress(replayed=replayed, refused=refused, before_line=before, line=4)
    assert end_of(3, progress) == said


def test_sums_of_each_status_and_of_refunds_stand_apart() -> None:
    accepted = {
        "SUCCESS": RowSum(1, 150),
        "FAILED": RowSum(1, 2**63 - 1),
        "SUCCESS, refunds": RowSum(1, 100),
    }
    told = end_of(3, ImportProgress(accepted=3, accepted_money=accepted))
    assert [line.strip() for line in told] == [
        "92,233,720,368,547,758.07  accepted as FAILED, 1 row",
        "1.50  accepted as SUCCESS, 1 row",
        "1.00  accepted as SUCCESS, refunds, 1 row",
    ]


def test_what_the_api_does_not_tell_is_said_with_the_rows_that_are_known() -> None:
    progress = ImportProgress(
        accepted=1, replayed=4, either_money={"SUCCESS": RowSum(3, 9)}, either_accepted=1, resent_rows=2
    )
    told = end_of(5, progress)
    assert told[1:] == [
        "of the 3 rows accepted or replayed 1 were accepted now and 2 before: a batch had both, and the API "
        "does not name which",
        "2 rows told as replayed may be of this run: the answer to an earlier try was lost, and it may have "
        "brought them in",
    ]
