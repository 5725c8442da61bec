"""Averages of amounts, which are whole numbers of the smallest unit: rounded half to even, never cut off.

Halves that go away from zero, as by PostgreSQL's round(numeric), let averages of small amounts drift upwards;
a quotient of so many digits, as its division of numerics gives, and a float, may be on the wrong side of a
half where sums are huge. So both of these go by the whole quotient and what is left over.
"""


def half_even(total: int, count: int) -> int:
    """The average of `count` amounts that come to `total`, neither below zero; ZeroDivisionError of none."""
    whole, rest = divmod(total, count)
    return whole + (2 * rest > count or (2 * rest == count and whole % 2 == 1))


def half_even_sql(total: str, count: str) -> str:
    """The same as an expression of SQL, a whole numeric; `total` and `count` are expressions, not below zero.

    NULL where either is; division_by_zero of none.
    """
    whole, rest = f"div({total}::numeric, {count})", f"mod({total}::numeric, {count})"
    up = f"2 * {rest} > {count} OR (2 * {rest} = {count} AND mod({whole}, 2) = 1)"
    return f"({whole} + CASE WHEN {up} THEN 1 ELSE 0 END)"
