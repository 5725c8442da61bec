"""Amounts in the form of a list: typed as people write money, and in URLs whole numbers of the smallest unit.

So a link means the same to everybody, whatever locale it is opened in. What the form sends has names of its
own, and leads on to the URL with the parameters. Without a currency people type the smallest unit too, and
the form has the names of the parameters.
"""

from typing import NamedTuple

from django.http import QueryDict

from .. import money

# The form's names, and the parameters that these become.
PARAMETERS = {"amount_from": "amount_min", "amount_to": "amount_max"}


class TypedAmount(NamedTuple):
    """A field of the form: the name that it sends, what stands in it, and its currency, or ""."""

    name: str
    value: str
    unit: str = ""


def in_parameters(query: QueryDict) -> tuple[QueryDict, dict[str, str]]:
    """The query with what was typed as parameters instead; and what is wrong, by parameter.

    What is no amount stays as it was typed.
    """
    query, wrong = query.copy(), {}
    for name, parameter in PARAMETERS.items():
        typed = query.get(name, "").strip()
        try:
            amount = str(money.parse(typed)) if typed else ""
        except money.NotMoneyError as error:
            wrong[parameter] = str(error)
        else:
            if name in query:
                del query[name]
                query[parameter] = amount
    return query, wrong


def is_typed(query: QueryDict) -> bool:
    """Whether a form has sent amounts as they were typed."""
    return money.code() is not None and not PARAMETERS.keys().isdisjoint(query)


def fields(query: QueryDict) -> dict[str, TypedAmount]:
    """The fields of the form, for a query with parameters or with what was typed."""
    return {
        place: _field(query, name, parameter)
        for place, (name, parameter) in zip(("least", "most"), PARAMETERS.items(), strict=True)
    }


def _field(query: QueryDict, name: str, parameter: str) -> TypedAmount:
    given = query.get(parameter, "")
    if (code := money.code()) is None:
        return TypedAmount(parameter, given)
    if name in query:
        return TypedAmount(name, query.get(name, ""), code)
    whole = given.isascii() and given.isdigit() and len(given) < money.CHARACTERS_MAX
    return TypedAmount(name, money.typed(int(given)) if whole else given, code)
