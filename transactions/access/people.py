"""Who is a person or a program that works here, and who is a customer: an account that only has transactions.

People have a password that can be used, are of the staff or superusers, hold a token or are in a group.
All others are customers: nobody can log in to them. Both are rows of the accounts' one table, since
transactions refer to it.
"""

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from ..models import ApiToken, Customer
from ..tables import USER_KEY, USERS

# Purpose: the people, by an index that has these alone (see migration 0011), the tokens and the groups:
# the customers, of whom there are a thousand times as many, are not looked at.
WORKS_HERE = "is_staff OR is_superuser OR (password <> '' AND left(password, 1) <> '!')"
PEOPLE = f"""
    SELECT {USER_KEY} FROM {USERS} WHERE {WORKS_HERE}
     UNION ALL SELECT user_id FROM {ApiToken._meta.db_table}
     UNION ALL SELECT user_id FROM {User.groups.through._meta.db_table}
"""


def people() -> QuerySet[User]:
    """The accounts of those who work here."""
    return User.objects.filter(pk__in=RawSQL(PEOPLE, []))


def customers() -> QuerySet[Customer]:
    """The accounts that only have transactions."""
    return Customer.objects.exclude(pk__in=RawSQL(PEOPLE, []))


def any_customer() -> int | None:
    """The key of some customer, the first; None where there is none."""
    return customers().order_by("pk").values_list("pk", flat=True).first()
