"""Forms that give rights: each a sentence with a box, none that whoever saves the form lacks."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.models import Group, Permission
from django.forms import CheckboxSelectMultiple, ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..access.grants import (
    OFFERED,
    all_permissions,
    exceeds,
    groups_within,
    in_words,
    name_of,
    useless,
)
from .held_rows import SeenForm

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    Changing = ModelAdmin[Any]
else:
    Changing = object

# Groups that tokens' accounts are in, by how their names begin; see `access.rights.grant`.
OF_TOKENS = "API: "
NOT_YOURS = "You may give only what you may do yourself: choose among what is offered."


class Boxes(CheckboxSelectMultiple):
    """Boxes to tick, each with its sentence, under headings where there are any."""

    template_name = "transactions/components/boxes.html"

    def __init__(self, called: str = "") -> None:
        super().__init__()
        self.called = called

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        return {**super().get_context(name, value, attrs), "called": self.called}


class RightsField(ModelMultipleChoiceField):  # type: ignore[type-arg]  # takes none at run time
    """Permissions, as sentences."""

    def __init__(self, label: str, help_text: str = "") -> None:
        super().__init__(
            Permission.objects.none(),
            required=False,
            label=label,
            help_text=help_text,
            widget=Boxes(label),
            error_messages={"invalid_choice": NOT_YOURS},
        )

    def offer(self, giver: Any, given: Iterable[Permission]) -> None:
        """Those which `giver` may give, and those given already, whether there are words for them or not."""
        names = {name_of(each): each for each in all_permissions()}
        offered = {each for name, each in names.items() if name in OFFERED and giver.has_perm(name)}
        kept = {each.pk for each in given}
        offered |= {each for each in names.values() if each.pk in kept}
        self.queryset = Permission.objects.filter(pk__in=[each.pk for each in offered])
        self.choices = [
            (heading, [(each.pk, words) for each, words in some]) for heading, some in in_words(offered)
        ]


class GroupsField(ModelMultipleChoiceField):  # type: ignore[type-arg]  # takes none at run time
    """Groups, those that tokens' accounts are in apart."""

    def __init__(self, label: str, help_text: str) -> None:
        super().__init__(
            Group.objects.none(), required=False, label=label, help_text=help_text, widget=Boxes(label)
        )

    def offer(self, giver: Any, given: Iterable[Group]) -> None:
        """Those which `giver` may put somebody into, and those in which somebody is."""
        offered = groups_within(giver) | Group.objects.filter(pk__in=[each.pk for each in given])
        self.queryset = offered.order_by("name")
        of_people = [(each.pk, each.name) for each in self.queryset if not each.name.startswith(OF_TOKENS)]
        of_tokens = [(each.pk, each.name) for each in self.queryset if each.name.startswith(OF_TOKENS)]
        self.choices = [*of_people, *([("Of API tokens", of_tokens)] if of_tokens else [])]


class GrantingForm(SeenForm):
    """A form of an account or a group. What others gave and took meanwhile stays so."""

    # Who saves it; its admin makes a class for each request.
    giver: ClassVar[Any] = None

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for name, field in self._given().items():
            field.offer(self.giver, self.initial.get(name) or [])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.knows:
            for name in self._given():
                if name in cleaned and name in self.changed_data:
                    cleaned[name] = self._as_changed(name, cleaned[name])
        self._refuse_useless(cleaned)
        return cleaned

    def opens_pages(self, cleaned: dict[str, Any]) -> bool:
        """Whether those who are given these rights have the pages of this site to use them."""
        return True

    def _refuse_useless(self, cleaned: dict[str, Any]) -> None:
        """What was so before is not asked: whoever changes a name need not mend it."""
        given = self._given()
        changed = [name for name in given if name in self.changed_data]
        if not changed or self.errors or not self.opens_pages(cleaned):
            return
        held: set[Permission] = set()
        for name, field in given.items():
            chosen = cleaned.get(name) or []
            held |= set(
                chosen if isinstance(field, RightsField) else all_permissions().filter(group__in=chosen)
            )
        if told := useless(frozenset(map(name_of, held))):
            self.add_error(changed[-1], told)

    def _given(self) -> dict[str, RightsField | GroupsField]:
        given = RightsField | GroupsField
        return {name: field for name, field in self.fields.items() if isinstance(field, given)}

    def _as_changed(self, name: str, ticked: Iterable[Any]) -> list[Any]:
        """What there is now, with the boxes that were ticked and without those that were emptied."""
        seen = set(self.data.getlist(self.add_initial_prefix(name)))  # type: ignore[attr-defined]  # of a request
        now = {each.pk: each for each in self.initial.get(name) or []}
        wanted = {each.pk: each for each in ticked}
        given_meanwhile = {key: each for key, each in now.items() if str(key) not in seen}
        still_wanted = {key: each for key, each in wanted.items() if key in now or str(key) not in seen}
        return list((given_meanwhile | still_wanted).values())


class GrantedRows(Changing):
    """Accounts or groups: whoever may less than one of them may look at it alone."""

    change_form_template = "admin/people/form.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not _may_more_than_viewer(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not _may_more_than_viewer(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **more: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **more)
        form.giver = request.user
        return form

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        context["may_more_than_viewer"] = _may_more_than_viewer(request, context.get("original"))
        return super().render_change_form(request, context, *args, **more)


def rights_told(permissions: Iterable[Permission]) -> SafeString:
    """Rights as a page shows them that changes none."""
    told = [
        format_html("<dt>{}</dt><dd>{}</dd>", heading, ", ".join(words for _, words in some))
        for heading, some in in_words(permissions)
    ]
    return format_html("<dl>{}</dl>", SafeString("").join(told)) if told else SafeString("Nothing")


def _may_more_than_viewer(request: HttpRequest, row: Any) -> bool:
    return row is not None and exceeds(row, request.user)
