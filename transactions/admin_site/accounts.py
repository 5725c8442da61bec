"""The admin site's pages of users, groups and API tokens."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from ..access import tokens
from ..access.rights import rights_of
from ..models import ApiToken, Transaction
from .deletions import ReasonedDeletions
from .lists import BoundedAdmin, KeyedActions, list_of, more_than

if TYPE_CHECKING:

    class ThemedAdmin:
        """The theme's look, which is without types; those of Django's own classes say enough."""

else:
    from unfold.admin import ModelAdmin as ThemedAdmin

User = get_user_model()

# Users are deleted with their transactions. So many of those the confirmation lists one by one.
LISTED_MAX = 100
STATE_COLOURS = {"Valid": "success", "Expired": "warning", "Revoked": "danger"}


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class PayerAdmin(ReasonedDeletions, KeyedActions, DjangoUserAdmin, ThemedAdmin):  # type: ignore[type-arg]  # takes none at run time
    """Django's users, each with a link to the list of its transactions."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    readonly_fields = ("transactions",)
    # Django's pair of boxes says things to a screen reader that ARIA does not allow; a plain list does not.
    filter_horizontal = ()

    def get_list_display(self, request: HttpRequest) -> Any:
        return (*super().get_list_display(request), "transactions")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return [*fieldsets, ("Transactions", {"fields": ["transactions"]})] if obj else fieldsets

    @admin.display(description="transactions")
    def transactions(self, user: Any) -> SafeString:
        return format_html('<a href="{}">show</a>', list_of("transaction", f"user={user.pk}"))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The confirmation of a deletion: in detail for users of few transactions, else in short."""
        keys = [user.pk for user in objs]
        if not more_than(Transaction.objects.filter(user_id__in=keys), LISTED_MAX):
            return super().get_deleted_objects(objs, request)
        lacking = set() if request.user.is_superuser else {"transaction"}
        lines = [f"User: {user}" for user in objs] + [f"Transactions: more than {LISTED_MAX}, all of theirs"]
        return lines, {"users": len(keys), "transactions": f"more than {LISTED_MAX}"}, lacking, []


@admin.register(Group)
class RightsGroupAdmin(ReasonedDeletions, KeyedActions, DjangoGroupAdmin, ThemedAdmin):
    """Django's groups, in the site's frame."""

    filter_horizontal = ()


@admin.register(ApiToken)
class ApiTokenAdmin(BoundedAdmin[ApiToken]):
    """Keys to the API: `manage.py create_token` makes them, since it alone can show them once."""

    list_display = ("name", "user", "rights", "state", "made_at", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("user",)
    ordering = ("-id",)
    empty_title = "There are no tokens yet"
    empty_text = "manage.py create_token makes one, and shows it this once."
    fields = list_display
    actions = ("revoke",)

    @admin.display(description="may")
    def rights(self, token: ApiToken) -> str:
        return ", ".join(sorted(rights_of(token.user))) or "nothing"

    @display(description="state", label=STATE_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, token: ApiToken) -> str:
        if token.revoked_at is not None:
            return "Revoked"
        return "Expired" if token.expires_at is not None and token.expires_at <= timezone.now() else "Valid"

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("transactions.change_apitoken")

    @admin.action(permissions=["revoke"], description="Revoke the selected tokens")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        if not self.refuses(request, queryset):
            revoked = _revoke(queryset)
            text = f"{revoked} revoked; every process refuses them within a minute."
            self.message_user(request, text, messages.SUCCESS)


def _revoke(rows: QuerySet[ApiToken]) -> int:
    """Revokes those of `rows` that are not revoked yet, and says how many."""
    names = rows.filter(revoked_at=None).order_by().values_list("name", flat=True)
    for name in (done := list(names)):
        tokens.revoke(name)
    return len(done)
