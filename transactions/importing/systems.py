"""Systems whose exports have a mapping here: what each is called, and which of them a file is of."""

from dataclasses import dataclass

from .mapping import Mapping, MappingError, read
from .table import Table


@dataclass(frozen=True, slots=True)
class KnownSystem:
    """`name` is the mapping's, `words` are for people; `form` is how the form of such a file begins."""

    name: str
    words: str
    form: str = "CSV"

    @property
    def mapping(self) -> Mapping:
        return read(self.name)

    def has_written(self, table: Table) -> bool:
        """Whether a table has its form and every column that its mapping names."""
        if not table.form.startswith(self.form):
            return False
        try:
            self.mapping.fitting(table.columns)
        except MappingError:
            return False
        return True


SYSTEMS = (
    KnownSystem("camt", "Bank: a statement (camt.053)", "camt"),
    KnownSystem("olist-payments", "Olist: payments of orders"),
    KnownSystem("paypal", "PayPal: activity report, in English"),
    KnownSystem("paypal-de", "PayPal: activity report, in German"),
    KnownSystem("paysim", "PaySim: simulated mobile money"),
    KnownSystem("stripe-balance", "Stripe: all balance activity"),
    KnownSystem("stripe-charges", "Stripe: payments, all columns"),
)


def system_of(table: Table) -> KnownSystem | None:
    """The one system that writes such files; None where none does, or several may."""
    found = [each for each in SYSTEMS if each.has_written(table)]
    return found[0] if len(found) == 1 else None
