"""The admin site's pages of users and groups."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from ..access import people
from ..alerts import triage
from ..models import Transaction
from ..review import links
from ..stores.meanwhile import once_more
from .account_names import NamingForm
from .deletions import ReasonedDeletions, note_transactions
from .held_rows import SeenForm
from .lists import KeyedRows, more_than
from .row_forms import RowForm

if TYPE_CHECKING:

    class ThemedAdmin:
        """The theme's look, which is without types; those of Django's own classes say enough."""

else:
    from unfold.admin import ModelAdmin as ThemedAdmin

User = get_user_model()

# What a field of an account is for, as its form says it.
SEVERAL = "Control, or Command on a Mac, chooses several."
WORDS = {
    "username": "At most 150 letters, digits and @ . + - _",
    "is_active": "Off, nobody logs in with it. Better than deleting an account.",
    "is_staff": "May log in here, and see what its rights allow.",
    "is_superuser": "May do everything, whatever its rights are.",
    "groups": f"It has the rights of each. {SEVERAL}",
    "user_permissions": f"Rights beside those of its groups. {SEVERAL}",
    "permissions": SEVERAL,
}

# Users are deleted with their transactions. So many of those the confirmation lists one by one,
LISTED_MAX = 100
# and so many the audit trail names; the others it counts.
NAMED_MAX = 1_000


admin.site.unregister(User)
admin.site.unregister(Group)


class PeopleList(ChangeList):
    """The accounts that are no customers'."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        here: QuerySet[Any] = super().get_queryset(request, *args, **kwargs)
        return here.filter(pk__in=people.people())


class AccountForm(NamingForm, SeenForm, UserChangeForm):  # type: ignore[misc]
    """The theme's form of an account."""


class GroupForm(SeenForm, ModelForm):  # type: ignore[type-arg]  # takes none at run time
    """A group and its rights."""


class NewAccountForm(NamingForm, UserCreationForm):  # type: ignore[misc]
    """The theme's form of an account that is made."""


@admin.register(User)
class PayerAdmin(ReasonedDeletions, KeyedRows, RowForm, DjangoUserAdmin, ThemedAdmin):  # type: ignore[type-arg]  # takes none at run time
    """Those who work here. The page of an account is there for customers too, whose list is another one."""

    form = AccountForm
    add_form = NewAccountForm
    change_password_form = AdminPasswordChangeForm
    readonly_fields = ("transactions", "last_login", "date_joined")
    empty_value_display = ""
    # Django's pair of boxes says things to a screen reader that ARIA does not allow; a plain list does not.
    filter_horizontal = ()
    show_full_result_count = False
    rows_called = ("account", "accounts")
    one_called = "person"
    search_help_text = "Part of a name or an address"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "title": "People"})

    def formfield_for_dbfield(self, db_field: Any, request: Any, **more: Any) -> Any:
        return _explained(super().formfield_for_dbfield(db_field, request, **more), db_field.name)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PeopleList

    def get_list_display(self, request: HttpRequest) -> Any:
        return (*super().get_list_display(request), "transactions")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return [*fieldsets, ("Transactions", {"fields": ["transactions"]})] if obj else fieldsets

    @admin.display(description="transactions")
    def transactions(self, user: Any) -> SafeString:
        theirs, customer = links.transactions_of(user.pk), links.customer(user.pk)
        return format_html('<a href="{}">show</a> · <a href="{}">as a customer</a>', theirs, customer)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The confirmation of a deletion: in detail for users of few transactions, else in short."""
        keys = [user.pk for user in objs]
        if not more_than(Transaction.objects.filter(user_id__in=keys), LISTED_MAX):
            return super().get_deleted_objects(objs, request)
        lacking = set() if request.user.is_superuser else {"transaction"}
        lines = [f"Account: {user}" for user in objs] + [
            f"Transactions: more than {LISTED_MAX}, all of theirs"
        ]
        return lines, {"users": len(keys), "transactions": f"more than {LISTED_MAX}"}, lacking, []

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        # In a transaction its row is held, as for other forms.
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_queryset(request, User.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Deletes users with their transactions, which the audit trail names as others that are deleted."""
        keys = list(queryset.values_list("pk", flat=True))

        @transaction.atomic
        def delete() -> None:
            # The flush holds whose transactions it stores: from here on there are no more of theirs.
            users = User.objects.filter(pk__in=keys)
            list(users.select_for_update().order_by("pk").values_list("pk"))
            theirs = Transaction.objects.filter(user_id__in=keys).order_by("user_id", "created_at", "pk")
            named = dict(theirs.values_list("pk", "transaction_id")[:NAMED_MAX])
            assert isinstance(request.user, User)
            triage.release_all_of(keys, request.user)
            _, deleted = users.delete()
            note_transactions(named, deleted.get(Transaction._meta.label, 0))
            # One may have come between by now; said here, and not when it commits.
            connection.check_constraints()

        once_more(delete)


@admin.register(Group)
class RightsGroupAdmin(ReasonedDeletions, KeyedRows, RowForm, DjangoGroupAdmin, ThemedAdmin):
    """Django's groups, in the site's frame."""

    form = GroupForm
    filter_horizontal = ()
    search_help_text = "Part of a name"

    def formfield_for_dbfield(self, db_field: Any, request: Any, **more: Any) -> Any:
        return _explained(super().formfield_for_dbfield(db_field, request, **more), db_field.name)


def _explained(field: Any, name: str) -> Any:
    """A field of a form, in words of ours where Django's own are another's; None stays None."""
    if field is not None and name in WORDS:
        field.help_text = WORDS[name]
    return field
