"""The admin site's pages of people."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.filters import BooleanFieldListFilter, RelatedFieldListFilter
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model, update_session_auth_hash
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from ..access import last_account, people, tokens
from ..access.rights import Right, rights_of
from ..alerts import triage
from ..models import ApiToken, Transaction
from ..review import links
from ..stores.meanwhile import once_more
from ..templatetags.components import visible
from .account_names import NamingForm
from .deletions import ReasonedDeletions, note_transactions
from .granting import GrantedRows, GrantingForm, GroupsField, RightsField, rights_told
from .lists import KeyedRows, more_than
from .row_forms import RowForm, ThemedAdmin

User = get_user_model()

ONLY_YOURS = "Offered is what you may do yourself."
# What a field of an account is called, and what it is for, as its form says it.
WORDS = {
    "username": ("Name", "At most 150 letters, digits and @ . + - _"),
    "is_active": ("Switched on", "Off, nobody logs in with it. Better than deleting an account."),
    "is_staff": ("May log in here", "And see what its rights allow."),
    "is_superuser": ("May do everything", "Whatever its rights are. Who has this alone gives it."),
}
# Under its heading, each field of the page of one.
FIELDS: tuple[tuple[str | None, tuple[str, ...]], ...] = (
    (None, ("username", "password_told")),
    ("Who it is", ("first_name", "last_name", "email")),
    ("What it may", ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")),
    ("Activity", ("last_login", "date_joined", "transactions")),
)
# Without one of these an account that may do everything does nothing here; nobody changes their own.
FLAGS = ("is_active", "is_staff", "is_superuser")
# What stands for a field where it is only looked at.
READ_ONLY_FIELDS = {
    "is_active": "switched_on",
    "is_staff": "logs_in",
    "is_superuser": "everything",
    "user_permissions": "rights",
}

# Users are deleted with their transactions. So many of those the confirmation lists one by one,
LISTED_MAX = 100
# and so many the audit trail names; the others it counts.
NAMED_MAX = 1_000
# Tokens that are named where they are revoked with their account.
TOKENS_NAMED_MAX = 5


admin.site.unregister(User)


def called(title: str, field: str) -> tuple[str, type[BooleanFieldListFilter]]:
    """A filter of the list by a field of yes or no, in words of ours."""

    class Called(BooleanFieldListFilter):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.title = title

    return field, Called


class GroupFilter(RelatedFieldListFilter):
    """By group; who is in none is one of its entries."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.title, self.empty_value_display = "group", SafeString("In no group")


class PeopleList(ChangeList):
    """The accounts that are no customers'."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        here: QuerySet[Any] = super().get_queryset(request, *args, **kwargs)
        return here.filter(pk__in=people.people())

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        shown = Right.READ in rights_of(request.user)
        for row in self.result_list:
            row.payments_shown = shown


class AccountForm(NamingForm, GrantingForm, UserChangeForm):  # type: ignore[misc]
    """The theme's form of an account, with rights as sentences; its password has a page of its own."""

    groups = GroupsField("Groups", f"It has the rights of each. {ONLY_YOURS}")
    user_permissions = RightsField("Beside that it may", f"Rights beside those of its groups. {ONLY_YOURS}")

    def opens_pages(self, cleaned: dict[str, Any]) -> bool:
        everything = cleaned.get("is_superuser", self.instance.is_superuser)
        return not everything and bool(cleaned.get("is_staff", self.instance.is_staff))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        taken = [name for name in FLAGS if name in self.fields and not cleaned.get(name)]
        if taken and (refused := last_account.refusal(self.giver, [self.instance.pk])):
            self.add_error(taken[0], refused)
        return cleaned


class NewAccountForm(NamingForm, UserCreationForm):  # type: ignore[misc]
    """The theme's form of an account that is made."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        _in_our_words(self)


class NewPasswordForm(AdminPasswordChangeForm):  # type: ignore[misc]
    """The theme's form of the password that `by` gives somebody else, or takes away."""

    def __init__(self, *args: Any, by: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.by = by
        _in_our_words(self)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        goes = not cleaned["set_usable_password"]
        if goes and (refused := last_account.refusal(self.by, [self.user.pk])):
            self.add_error("usable_password", refused)
        return cleaned


def _in_our_words(form: Any) -> None:
    """The fields of a form that sets a password."""
    form.fields["password2"].label, form.fields["password2"].help_text = "The same once more", ""
    if "usable_password" in form.fields:
        usable = form.fields["usable_password"]
        usable.label, usable.help_text = "Who logs in", ""
        usable.choices = [("true", "Whoever knows the password"), ("false", "Nobody: it has no password")]


@admin.register(User)
class PeopleAdmin(ReasonedDeletions, GrantedRows, KeyedRows, RowForm, DjangoUserAdmin, ThemedAdmin):  # type: ignore[type-arg]  # takes none at run time
    """Those who work here. The page of an account is there for customers too, whose list is another one."""

    form = AccountForm
    add_form = NewAccountForm
    add_form_template = None
    list_display = ("name", "email", "first_name", "last_name", "logs_in", "transactions")
    list_filter = (
        called("may log in here", "is_staff"),
        called("may do everything", "is_superuser"),
        called("switched on", "is_active"),
        ("groups", GroupFilter),
    )
    readonly_fields = (
        "password_told",
        "transactions",
        "last_login",
        "date_joined",
        *READ_ONLY_FIELDS.values(),
    )
    empty_value_display = ""
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

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        # Only its page has what it may.
        return redirect("admin:auth_user_change", obj.pk)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PeopleList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        if request.method == "POST" and connection.in_atomic_block:
            # Before a row of its own is held: two who take each other's account wait here, and not crosswise.
            last_account.lock_who_may_everything()
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            found.password_link = self._password_link(request, found)
            found.payments_shown = Right.READ in rights_of(request.user)
        return found

    def _password_link(self, request: HttpRequest, user: Any) -> str:
        """Where this viewer changes the password, their own by the old one; "" where they may not."""
        if user.pk == request.user.pk:
            return reverse("admin:password_change")
        if not self.has_change_permission(request, user):
            return ""
        return reverse("admin:auth_user_password_change", args=[user.pk])

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return super().get_fieldsets(request, obj)
        may_change = self.has_change_permission(request, obj)
        own = obj.pk == request.user.pk
        unchanged = FLAGS if own else () if request.user.is_superuser else ("is_superuser",)
        shown = {name: READ_ONLY_FIELDS[name] for name in unchanged} if may_change else READ_ONLY_FIELDS
        return [(heading, {"fields": [shown.get(name, name) for name in names]}) for heading, names in FIELDS]

    @admin.display(description="name", ordering="username")
    def name(self, user: Any) -> str:
        return str(user.get_username())

    @admin.display(description="password")
    def password_told(self, user: Any) -> SafeString:
        """Whether there is one; nothing of it is shown."""
        told = "A password is set." if user.has_usable_password() else "None: nobody logs in with it."
        if not user.password_link:
            return SafeString(told)
        return format_html('{} <a href="{}">Change the password</a>', told, user.password_link)

    @admin.display(description="switched on", boolean=True)
    def switched_on(self, user: Any) -> bool:
        return bool(user.is_active)

    @admin.display(description="may log in here", boolean=True)
    def logs_in(self, user: Any) -> bool:
        return bool(user.is_staff)

    @admin.display(description="may do everything", boolean=True)
    def everything(self, user: Any) -> bool:
        return bool(user.is_superuser)

    @admin.display(description="beside that it may")
    def rights(self, user: Any) -> SafeString:
        return rights_told(user.user_permissions.select_related("content_type"))

    @admin.display(description="transactions")
    def transactions(self, user: Any) -> SafeString | str:
        if not user.payments_shown:
            return "Not for you to see"
        theirs, customer = links.transactions_of(user.pk), links.customer(user.pk)
        return format_html('<a href="{}">show</a> · <a href="{}">as a customer</a>', theirs, customer)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The confirmation of a deletion: in detail for users of few transactions, else in short."""
        keys = [user.pk for user in objs]
        if refused := last_account.refusal(_by(request), keys):
            return [], {}, set(), [refused]
        if not more_than(Transaction.objects.filter(user_id__in=keys), LISTED_MAX):
            deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
            # Nobody deletes tokens by themselves: those of an account are revoked, and go with it.
            if request.user.has_perm("transactions.change_apitoken"):
                lacking -= {ApiToken._meta.verbose_name}
            return deleted, counts, lacking, protected
        lacking = set() if request.user.is_superuser else {"transaction"}
        lines = [f"Account: {user}" for user in objs] + [
            f"Transactions: more than {LISTED_MAX}, all of theirs"
        ]
        return lines, {self.rows_called[1]: len(keys), "transactions": f"more than {LISTED_MAX}"}, lacking, []

    def what_is_lost(self, keys: list[Any]) -> str:
        held = ApiToken.objects.filter(user_id__in=keys, revoked_at=None)
        names = list(held.order_by("name").values_list("name", flat=True)[: TOKENS_NAMED_MAX + 1])
        if not names:
            return ""
        told = ", ".join(f"“{visible(name)}”" for name in names[:TOKENS_NAMED_MAX])
        more = " and others" if len(names) > TOKENS_NAMED_MAX else ""
        one = len(names) == 1
        return (
            f"The API token{'' if one else 's'} {told}{more} {'is' if one else 'are'} revoked: whoever shows "
            f"{'it' if one else 'one'} is refused within a minute."
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        shown = context.get("original")
        context["own"] = shown is not None and shown.pk == request.user.pk
        context["show_delete"] = shown is not None and not last_account.refusal(_by(request), [shown.pk])
        return super().render_change_form(request, context, *args, **more)

    @method_decorator(sensitive_post_parameters())
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Another password for somebody, or none: Django's own takes one away only for a second button."""
        # In a transaction its row is held, as for other forms.
        with transaction.atomic():
            user = self.get_object(request, unquote(id))
            if not self.has_change_permission(request, user):
                raise PermissionDenied
            if user is None:
                raise Http404("There is no such account.")
            if user.pk == request.user.pk:
                # There it is asked for the old one, and its guesses are bounded.
                return redirect("admin:password_change")
            posted = request.POST if request.method == "POST" else None
            form = NewPasswordForm(user, posted, by=request.user)
            if form.is_valid():
                form.save()
                self.log_change(request, user, self.construct_change_message(request, form, []))
                self.message_user(request, _password_told(user), messages.SUCCESS)
                update_session_auth_hash(request, user)
                return redirect("admin:auth_user_change", user.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": f"The password of {visible(user.get_username())}",
            "form": form,
            "original": user,
        }
        return TemplateResponse(request, "admin/auth/user/change_password.html", context)

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any) -> HttpResponse | None:
        try:
            return super().response_action(request, queryset, *args)
        except last_account.NotDeleted as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return None

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_queryset(request, User.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Deletes users with their transactions, which the audit trail names as others that are deleted."""
        keys = list(queryset.values_list("pk", flat=True))

        @transaction.atomic
        def delete() -> None:
            last_account.lock_who_may_everything()
            # The flush holds whose transactions it stores: from here on there are no more of theirs.
            users = User.objects.filter(pk__in=keys)
            list(users.select_for_update().order_by("pk").values_list("pk"))
            theirs = Transaction.objects.filter(user_id__in=keys).order_by("user_id", "created_at", "pk")
            named = dict(theirs.values_list("pk", "transaction_id")[:NAMED_MAX])
            if refused := last_account.refusal(_by(request), keys):
                raise last_account.NotDeleted(refused)
            triage.release_all_of(keys, _by(request))
            tokens.note_revoked_of(keys)
            _, deleted = users.delete()
            note_transactions(named, deleted.get(Transaction._meta.label, 0))
            # One may have come between by now; said here, and not when it commits.
            connection.check_constraints()

        once_more(delete)


def _by(request: HttpRequest) -> Any:
    assert isinstance(request.user, User)
    return request.user


def _password_told(user: Any) -> str:
    """What has become of somebody's password."""
    name = visible(user.get_username())
    if user.has_usable_password():
        return f"The password of {name} is changed."
    return f"{name} has no password any more: nobody logs in with this account."


def _explained(field: Any, name: str) -> Any:
    """A field of a form, in words of ours where Django's own are another's; None stays None."""
    if field is not None and name in WORDS:
        field.label, field.help_text = WORDS[name]
    return field
