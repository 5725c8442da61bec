"""Lists of users: who stands on them, until when and why. An entry is added and ended, never edited."""

from datetime import UTC
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db import OperationalError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from ...rules import activity, changes, lifecycle, list_entries, texts
from ...rules import user_lists as standing
from ...rules.models import ListEntry, UserList
from ...stores.meanwhile import once_more
from ...timezones import to_the_minute
from ..giving_up import View
from ..lists import BoundedChangeList, is_key
from . import rights
from .steps import BUSY

User = get_user_model()

# Users that are put on a list at a time; files are for the command.
USERS_MAX, TYPED_CHARACTERS_MAX = 200, 10_000
# Entries that are shown; a list may have any number, and is searched.
SHOWN_MAX = 100


class EntryForm(forms.Form):
    """Who is put on a list."""

    user = forms.CharField(
        max_length=TYPED_CHARACTERS_MAX,
        label="Customers",
        help_text="Names or numbers, with commas or blanks between them.",
    )
    expires = forms.DateTimeField(
        required=False,
        label="Until",
        help_text="A full minute to come; left empty, until somebody ends it.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    comment = forms.CharField(max_length=standing.COMMENT_MAX, required=False)

    def clean_comment(self) -> str:
        try:
            return texts.checked_comment(self.cleaned_data["comment"])
        except ValueError as error:
            raise forms.ValidationError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None

    def clean_user(self) -> list[Any]:
        """Those that were meant, each once: a name may have commas and blanks in it if it stands alone."""
        typed = self.cleaned_data["user"]
        alone = _user_of(typed)
        if alone is not None:
            return [alone]
        keys = list(dict.fromkeys(typed.replace(",", " ").split()))
        if len(keys) > USERS_MAX:
            raise forms.ValidationError(f"At most {USERS_MAX} customers at a time: the command takes files.")
        found = {key: _user_of(key) for key in keys}
        missing = [key for key in keys if found[key] is None] or ([] if keys else [typed])
        if missing:
            named = ", ".join(f"“{key[:150]}”" for key in missing[:10])
            if len(missing) == len(keys):
                named = f"“{typed[:150]}”"
            raise forms.ValidationError(f"There is no customer {named}.")
        return list({user.pk: user for user in found.values() if user is not None}.values())


def _user_of(key: str) -> Any:
    """The user of that name, or else of that number; None where there is none."""
    found = User._default_manager.filter(**{User.USERNAME_FIELD: key}).first()
    if found is None and is_key(key):
        found = User._default_manager.filter(pk=int(key)).first()
    return found


class UserListChangeList(BoundedChangeList):
    """A page of lists, each with the rules that name it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        lists: list[Any] = list(self.result_list)
        self.result_list = lists
        naming = standing.naming([users.name for users in lists])
        for users in lists:
            users.naming = naming[users.name]


@admin.register(UserList)
class UserListAdmin(rights.SeenWithRules[UserList]):
    list_display = ("name", "description", "entries_now", "named_by")
    rows_called = ("list of customers", "lists of customers")
    ordering = ("name", "id")
    search_fields = ("name", "description")
    change_list_template = "admin/rules/user_list_list.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[UserListChangeList]:
        return UserListChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[UserList]:
        return standing.with_standing(super().get_queryset(request))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {
            "title": "Lists of customers",
            "no_lists": not UserList.objects.exists(),
            "may_change": rights.may_change(request.user),
        }
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def show_one(self, request: HttpRequest, key: str) -> HttpResponse:
        return show(request, key)

    def own_paths(self) -> list[tuple[str, View, str]]:
        return [("new/", new, "new"), ("<int:key>/<int:entry>/end/", end, "end")]

    @admin.display(description="on it now")
    def entries_now(self, users: Any) -> str:
        return activity.counted_in_words(users.standing)

    @admin.display(description="rules that name it", empty_value="none")
    def named_by(self, users: Any) -> str | None:
        return ", ".join(users.naming) or None


def new(request: HttpRequest) -> HttpResponse:
    """A list that there is not yet."""
    rights.demand(rights.may_change(request.user))
    typed = {"name": "", "description": ""}
    error = ""
    if request.method == "POST":
        typed = {name: request.POST.get(name, "").strip() for name in typed}
        try:
            made = changes.make_list(
                texts.checked_name(typed["name"]), texts.checked_description(typed["description"])
            )
            return redirect("admin:rules_userlist_change", made.pk)
        except (ValueError, changes.NameTaken) as refused:
            error = f"{str(refused)[:1].upper()}{str(refused)[1:]}."
    context = {**admin.site.each_context(request), "title": "A new list", "typed": typed, "error": error}
    return TemplateResponse(request, "admin/rules/new_list.html", context)


def show(request: HttpRequest, key: str) -> HttpResponse:
    """A list and its entries, and a form for one more."""
    rights.demand(rights.may_view(request.user))
    users = UserList.objects.filter(pk=int(key)).first() if is_key(key) else None
    if users is None:
        raise Http404("There is no such list.")
    form = EntryForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        rights.demand(rights.may_change(request.user))
        if form.is_valid() and _added(request, users, form):
            return redirect("admin:rules_userlist_change", users.pk)
    term = request.GET.get("q", "").replace("\0", "").strip()[:150]
    entries = list(_searched(users, term).select_related("user", "made_by").order_by("-id")[: SHOWN_MAX + 1])
    now = timezone.now()
    context = {
        **admin.site.each_context(request),
        "title": users.name,
        "users": users,
        "form": form,
        "term": term,
        "entries": [(entry, _state(entry, now)) for entry in entries[:SHOWN_MAX]],
        "more": len(entries) > SHOWN_MAX,
        "naming": standing.naming([users.name])[users.name],
        "may_change": rights.may_change(request.user),
    }
    return TemplateResponse(request, "admin/rules/user_list.html", context)


@require_POST
def end(request: HttpRequest, key: int, entry: int) -> HttpResponse:
    """Takes the user of an entry off the list."""
    rights.demand(rights.may_change(request.user))
    held = ListEntry.objects.select_related("user").filter(list=key, pk=entry).first()
    if held is None:
        raise Http404("There is no such entry.")
    try:
        list_entries.end_entry(held, by=request.user)
        assert held.ends_at is not None
        messages.success(request, f"{held.user} stands on the list until {to_the_minute(held.ends_at)}.")
    except ListEntry.DoesNotExist:
        raise Http404("There is no such entry.") from None
    except OperationalError:
        messages.error(request, BUSY)
    return redirect(reverse("admin:rules_userlist_change", args=[key]))


def _added(request: HttpRequest, users: UserList, form: EntryForm) -> bool:
    """Whether entries were made; else the form says why not."""
    given = form.cleaned_data
    expires = given["expires"] and given["expires"].astimezone(UTC)
    try:
        added = once_more(
            lambda: list_entries.add_entries(
                users,
                [user.pk for user in given["user"]],
                by=request.user,
                expires=expires,
                comment=given["comment"],
            )
        )
    except list_entries.UnknownUsers as refused:
        form.add_error("user", str(refused))
        return False
    except lifecycle.StepRefused as refused:
        form.add_error("expires", str(refused))
        return False
    except OperationalError:
        form.add_error(None, BUSY)
        return False
    named = str(given["user"][0]) if len(given["user"]) == 1 else f"{len(given['user'])} customers"
    stands = "stands" if len(given["user"]) == 1 else "stand"
    if not added:
        form.add_error("user", f"{named} {stands} on the list already, and as long.")
        return False
    text = f"{named} {stands} on the list from the next full minute on."
    if added < len(given["user"]):
        text += f" {len(given['user']) - added} of them stood there already, and as long."
    messages.success(request, text)
    return True


def _searched(users: UserList, term: str) -> QuerySet[ListEntry]:
    """The entries of a list; with a term those of the user of that name or number."""
    if not term:
        return users.entries.all()
    named = Q(**{f"user__{User.USERNAME_FIELD}": term})
    return users.entries.filter(named | Q(user_id=int(term)) if is_key(term) else named)


def _state(entry: ListEntry, now: Any) -> str:
    if entry.ends_at is not None and entry.ends_at <= now:
        return "ended"
    return "on it" if entry.starts_at <= now else "about to begin"
