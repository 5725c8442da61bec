"""What stands behind hits: the transactions that count towards them, and where these are today."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from ..models import Transaction
from ..stores import bounded_queries
from .kinds import registry
from .kinds.kind import TABLE, Bound, Kind
from .kinds.windowed import RapidRepeat, WindowedKind
from .models import Hit, Version

# Rows that are shown beside the hits themselves, the latest.
COUNTED_MAX = 200
# Hits of a user and a version since a row was stored, among which are those that it may count towards.
LATER_MAX = 1_000

# Purpose: what a windowed rule counts of one user up to its hits, by the index on users; it is read from the
# last hit on, since nothing but the bounds names the user.
SELECT_COUNTED = """
    SELECT t.id, t.transaction_id, t.amount, t.status, t.created_at FROM {table} t
     WHERE (t.user_id, t.created_at) > (%(user)s, %(first)s - {window})
       AND (t.user_id, t.created_at) <= (%(user)s, %(last)s) {conditions}
     ORDER BY t.user_id DESC, t.created_at DESC, t.id DESC LIMIT %(most)s
"""

# Purpose: the alerts of the first hits of a user since a row was stored, version by version, by the index of
# both; of these what happened in the window that the row begins.
SELECT_LATER = f"""
    SELECT DISTINCT h.version_id, h.alert_id, h.amount
      FROM unnest(%(versions)s::bigint[], %(windows_s)s::int[]) v (id, window_s)
     CROSS JOIN LATERAL (
        SELECT * FROM {Hit._meta.db_table}
         WHERE version_id = v.id AND "user" = %(user)s AND raised_at >= %(stored)s
         ORDER BY version_id, "user", raised_at, id LIMIT %(most)s) h
     WHERE h.alert_id IS NOT NULL AND h.suppressed = '' AND h.transaction <> %(row)s
       AND h.happened_at >= %(happened)s AND h.happened_at < %(happened)s + make_interval(secs => v.window_s)
     ORDER BY h.alert_id DESC, h.version_id
"""
# Purpose: whether a row is one of those that a version counts.
SELECT_IS_COUNTED = "SELECT FROM {table} t WHERE t.id = %(row)s {conditions}"


class CountedIn(NamedTuple):
    """An alert that a transaction counts towards, and the rule's name."""

    alert: int
    rule: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A transaction that made an alert: what was known of it then, and what has become of it.

    One that only counts towards a hit, and is none, is known as it is today. `key` is None for what a
    rule says of the whole system.
    """

    key: int | None
    transaction_id: str
    amount: int | None
    status: str
    happened_at: datetime
    hit: Hit | None
    # "" where it is gone.
    status_now: str

    @property
    def is_gone(self) -> bool:
        return self.key is not None and not self.status_now

    @property
    def has_changed(self) -> bool:
        return self.is_gone or self.status_now != self.status


def behind(hits: Sequence[Hit], most: int = COUNTED_MAX) -> list[Evidence]:
    """What stands behind hits of one alert, which come the latest first; so does this.

    Of what only counts towards them the latest `most` of each version.

    An alert counts transactions: of one that several versions have found the latest hit is shown. Raises
    django.db.Error.
    """
    latest = {hit.transaction or hit.bucket: hit for hit in reversed(hits)}
    keys = [hit.transaction for hit in hits if hit.transaction is not None]
    now = dict(Transaction.objects.filter(pk__in=keys).values_list("pk", "status"))
    found = [
        Evidence(
            hit.transaction,
            hit.transaction_id,
            hit.amount,
            hit.status,
            hit.happened_at,
            hit,
            now.get(hit.transaction, "") if hit.transaction is not None else hit.status,
        )
        for hit in latest.values()
    ]
    there = set(keys)
    for version in {hit.version_id: hit.version for hit in hits}.values():
        for key, name, amount, status, happened in _counted(
            version, [hit for hit in hits if hit.version_id == version.pk], most
        ):
            if key not in there:
                there.add(key)
                found.append(Evidence(key, name, amount, status, happened, None, status))
    return sorted(found, key=lambda each: (each.happened_at, each.key or 0), reverse=True)


def form_of(version: Version) -> Kind:
    """The rule as it is worded in a version; one that this release cannot read says so in its sentence."""
    return registry.read_kept(version.kind, version.parameters)


def explained(hit: Hit) -> str:
    """Why it was a hit, by its figures as of raising; "" where the sentence says all."""
    return registry.explained(form_of(hit.version), hit.figures)


def headline(hit: Hit) -> str:
    """What matters of a hit in a few words; "" where there is nothing to say."""
    return registry.headline(form_of(hit.version), hit.amount, hit.figures)


def counted_in(row: Transaction) -> list[CountedIn]:
    """The alerts towards whose hits a row counts, the latest first: of those that rules with a window raised
    since it was stored, the first LATER_MAX of each version. Raises django.db.Error.
    """
    versions = Version.objects.select_related("rule").exclude(effective_from=None)
    forms = {version.pk: (version, form_of(version)) for version in versions}
    windows = {key: form for key, (_, form) in forms.items() if isinstance(form, WindowedKind)}
    asked = {
        "versions": list(windows),
        "windows_s": [form.window_s for form in windows.values()],
        "user": row.user_id,
        "stored": row.stored_at,
        "happened": row.created_at,
        "row": row.pk,
        "most": LATER_MAX,
    }
    later = bounded_queries.query(SELECT_LATER, asked) if windows else []
    counting = {key for key in {key for key, *_ in later} if _counts(windows[key], row)}
    return list(
        dict.fromkeys(
            CountedIn(alert, forms[key][0].rule.name)
            for key, alert, amount in later
            if key in counting and (amount == row.amount or not isinstance(windows[key], RapidRepeat))
        )
    )


def _counts(form: WindowedKind, row: Transaction) -> bool:
    bound = Bound("c_")
    conditions = "".join(f" AND {condition}" for condition in form.counted("t", bound))
    text = SELECT_IS_COUNTED.format(table=TABLE, conditions=conditions)
    return bool(bounded_queries.query(text, {**bound.values, "row": row.pk}))


def _counted(version: Version, hits: Sequence[Hit], most: int) -> list[Any]:
    form, user = form_of(version), hits[0].user
    if not isinstance(form, WindowedKind) or user is None:
        return []
    bound = Bound("c_")
    conditions = form.counted("t", bound)
    if isinstance(form, RapidRepeat):
        amounts = sorted({hit.amount for hit in hits if hit.amount is not None})
        conditions.append(f"t.amount = ANY({bound('amounts', amounts)})")
    text = SELECT_COUNTED.format(
        table=TABLE,
        window=bound.interval("window", form.window_s),
        conditions="".join(f" AND {condition}" for condition in conditions),
    )
    happened = [hit.happened_at for hit in hits]
    span = {"user": user, "first": min(happened), "last": max(happened), "most": most}
    return bounded_queries.query(text, {**bound.values, **span})
