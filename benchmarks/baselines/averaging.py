"""The average of each day as one writes it first."""

from transactions.tables import TRANSACTIONS

# Purpose: reads every row of the range and moves each into the zone.
NAIVE = f"""
    SELECT (created_at AT TIME ZONE %(zone)s)::date AS day, avg(amount), count(*), sum(amount)
      FROM {TRANSACTIONS}
     WHERE (created_at AT TIME ZONE %(zone)s)::date BETWEEN %(first)s AND %(last)s
     GROUP BY 1 ORDER BY 1
"""
