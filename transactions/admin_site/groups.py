"""The admin site's pages of groups, and what each may."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group, User
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.safestring import SafeString

from .deletions import ReasonedDeletions
from .granting import OF_TOKENS, GrantedRows, GrantingForm, RightsField, rights_told
from .lists import KeyedRows
from .row_forms import RowForm, ThemedAdmin

admin.site.unregister(Group)


class GroupForm(GrantingForm, ModelForm):  # type: ignore[type-arg]  # takes none at run time
    """A group and its rights."""

    permissions = RightsField("Who is in it may", "Offered is what you may do yourself.")

    def opens_pages(self, cleaned: dict[str, Any]) -> bool:
        return not str(cleaned.get("name", "")).startswith(OF_TOKENS)


@admin.register(Group)
class RightsGroupAdmin(ReasonedDeletions, GrantedRows, KeyedRows, RowForm, DjangoGroupAdmin, ThemedAdmin):
    """Django's groups, in the site's frame."""

    form = GroupForm
    filter_horizontal = ()
    readonly_fields = ("rights",)
    search_help_text = "Part of a name"
    empty_title = "There are no groups yet"
    empty_text = (
        "A group is a name with rights, such as those of the fraud team: whoever is in it has them. So it is "
        "decided once what a team may, and not for each person."
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        may_change = obj is None or self.has_change_permission(request, obj)
        return ("name", "permissions" if may_change else "rights")

    def what_is_lost(self, keys: list[Any]) -> str:
        people = User.objects.filter(groups__in=keys).distinct().count()
        what = "what it allows" if len(keys) == 1 else "what they allow"
        if not people:
            return ""
        return f"1 person loses {what}." if people == 1 else f"{people:,} people lose {what}."

    @admin.display(description="who is in it may")
    def rights(self, group: Group) -> SafeString:
        return rights_told(group.permissions.select_related("content_type"))
