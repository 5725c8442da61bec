"""How what failed is tried again: later and later, with fewer rows at a time and more time for them.

Debts and the clocks of versions count their failures in a row of their own, and both go by this.
"""

# How often the rows of one attempt are halved, at most; and doubled again, once by each that succeeds.
HALVINGS_MAX = 7
# How many times as long as of a chunk rules may take then, at most.
TIMES_MAX = 4
# Seconds until the next attempt: doubled each time, up to the last.
RETRY_S, RETRY_S_MAX = 5, 600
# So often that is doubled at most, lest a number overflows.
_DOUBLINGS_MAX = 20


def rows(most: int, least: int, attempts: int) -> int:
    """The rows that are judged at once after so many failures."""
    return max(least, most >> min(attempts, HALVINGS_MAX))


def times(attempts: int) -> int:
    """How many times as long as of a chunk rules may take then."""
    return min(attempts + 1, TIMES_MAX)


def wait_s(attempts: int, *, ran_out: bool = False) -> int:
    """Seconds until the next attempt, after so many failures before this one.

    None where the time `ran_out` that fewer rows may well be judged in; waiting makes nothing smaller.
    """
    if ran_out and attempts < HALVINGS_MAX:
        return 0
    attempts -= HALVINGS_MAX if ran_out else 0
    return min(RETRY_S_MAX, RETRY_S << min(attempts, _DOUBLINGS_MAX))


def sql_wait_s(attempts: str) -> str:
    """The same, in SQL."""
    return f"least({RETRY_S_MAX}, {RETRY_S} * power(2, least({attempts}, {_DOUBLINGS_MAX})))"


def sql_one_less(attempts: str) -> str:
    """In SQL, the failures that count after an attempt that succeeded."""
    return f"greatest(0, least({attempts}, {HALVINGS_MAX}) - 1)"
