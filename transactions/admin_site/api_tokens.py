"""The admin site's pages of API tokens: made there, shown once, revoked."""

from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from unfold.decorators import display

from ..access import people, tokens
from ..access.grants import in_words_of
from ..access.rights import ALL, Right, Rights, rights_of, rights_of_all
from ..client import curl
from ..models import ApiToken
from .granting import Boxes
from .lists import BoundedAdmin, moment
from .sent_once import sent_once

STATE_COLOURS = {"Valid": "success", "Expired": "warning", "Revoked": "danger"}
# A token that is to be valid for longer is one without an end.
DAYS_MAX = 36_500
# What carries a token from the form to the page that shows it, and for how long at most.
COOKIE = "made-token"
KEPT_SECONDS = 60


class TokenForm(forms.Form):
    """What a token is called, what it may, and for how long. Nobody gives a right that they lack."""

    name = forms.CharField(max_length=100, help_text="What you will know it by, for example “till 12”.")
    rights = forms.MultipleChoiceField(
        widget=Boxes,
        label="It may",
        help_text="A token has no more rights than whoever makes it.",
    )
    days = forms.IntegerField(
        label="Valid for so many days",
        required=False,
        min_value=1,
        max_value=DAYS_MAX,
        help_text="Left empty, it is valid until it is revoked.",
    )

    def __init__(self, held: Rights, data: Any = None) -> None:
        super().__init__(data, initial={"rights": [Right.POST, Right.READ]})
        self.fields["rights"].choices = [  # type: ignore[attr-defined]
            (heading, [(right.value, f"{words} ({right})") for right, words in some])
            for heading, some in in_words_of(held)
        ]

    def make(self) -> tuple[str, ApiToken]:
        """The token, in clear, and its row. Raises TokenError."""
        days = self.cleaned_data["days"]
        return tokens.create(
            self.cleaned_data["name"],
            rights=frozenset(map(Right, self.cleaned_data["rights"])),
            lifetime=None if days is None else timedelta(days=days),
        )


def may_make(request: HttpRequest) -> bool:
    """Whether this user makes tokens here."""
    return request.user.has_perm("transactions.add_apitoken")


def _sees(request: HttpRequest) -> bool:
    """Whether the list of tokens opens for this user."""
    return any(request.user.has_perm(f"transactions.{step}_apitoken") for step in ("view", "change"))


@sensitive_variables("token")
@sent_once
def new(request: HttpRequest) -> HttpResponse:
    """The form of a token; once it is made, the way to the page that shows it, this once.

    Until then the browser keeps it, for who made it alone: here it is kept nowhere.
    """
    if not may_make(request):
        raise PermissionDenied
    form = TokenForm(rights_of(request.user), request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            token, row = form.make()
        except tokens.TokenError as error:
            form.add_error("name", error.in_a_form)
        else:
            shown_at = reverse("admin:transactions_apitoken_made")
            response = redirect(shown_at)
            response.set_signed_cookie(
                COOKIE, f"{row.pk}:{token}", salt=_salt(request), max_age=KEPT_SECONDS,
                path=shown_at, httponly=True, secure=request.is_secure(), samesite="Strict",
            )  # fmt: skip
            return response
    context = {**admin.site.each_context(request), "title": "A new API token", "form": form}
    context["sees_tokens"] = _sees(request)
    return TemplateResponse(request, "admin/tokens/new.html", context)


def _salt(request: HttpRequest) -> str:
    return f"{COOKIE} {request.user.pk}"


@sensitive_variables("kept", "key", "token", "context")
def made(request: HttpRequest) -> HttpResponse:
    """The page that shows a token, once: loaded again it leads to the list, or else to the form."""
    if not may_make(request):
        raise PermissionDenied
    kept = request.get_signed_cookie(COOKIE, default="", salt=_salt(request), max_age=KEPT_SECONDS)
    key, _, token = (kept or "").partition(":")
    row = ApiToken.objects.select_related("user").filter(pk=int(key)).first() if key else None
    if row is None:
        messages.info(request, "A token is shown once. If yours is lost, revoke it and make another.")
        return redirect(f"admin:transactions_apitoken_{'changelist' if _sees(request) else 'new'}")
    context = {
        **admin.site.each_context(request),
        "title": f"The token {row.name}",
        "sees_tokens": _sees(request),
        "row": row,
        "token": token,
        "rights": sorted(rights_of(row.user)),
        "curl": _curl(request, token, row),
    }
    response = TemplateResponse(request, "admin/tokens/made.html", context)
    response["Cache-Control"] = "no-store"
    response.delete_cookie(COOKIE, path=request.path, samesite="Strict")
    return response


@sensitive_variables("token")
def _curl(request: HttpRequest, token: str, row: ApiToken) -> str:
    """A command that shows the token at work, at the address under which this page was asked for."""
    rights = rights_of(row.user)
    if Right.POST in rights:
        assert request.user.pk is not None  # Nobody else is shown a page of the admin.
        user = people.any_customer() or request.user.pk
        url = request.build_absolute_uri(reverse("add-transaction"))
        return curl.posting(url, token, curl.new_id(), user)
    call = "transactions" if Right.READ in rights else "schema"
    return curl.reading(request.build_absolute_uri(reverse(call)), token)


@admin.register(ApiToken)
class ApiTokenAdmin(BoundedAdmin[ApiToken]):
    """Keys to the API, made on a page that shows each once, as `manage.py create_token` does."""

    list_display = ("name", "state", "rights", "acts_for", "made", "expires", "last_used", "revoked")
    list_select_related = ("user",)
    ordering = ("-id",)
    one_called = "token"
    empty_title = "There are no tokens yet"
    empty_text = "A program that sends or reads transactions shows one. It is made here, and shown once."
    fields = ("name", "user", "rights", "state", "made", "expires", "last_used", "revoked")
    actions = ("revoke",)
    asked_before: ClassVar[dict[str, str]] = {
        "revoke": "Who shows it is refused within a minute. It does not come back: then make another."
    }
    change_list_template = "admin/tokens/token_list.html"

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        rows = list(found.result_list)
        held = rights_of_all(row.user for row in rows)
        for row in rows:
            row.held = held[row.user.pk]
        found.result_list = rows
        found.new_link = reverse("admin:transactions_apitoken_new") if may_make(request) else ""  # type: ignore[attr-defined]  # its templates'
        found.calls_the_api = bool(rights_of(request.user))  # type: ignore[attr-defined]  # its templates'
        return found

    def get_urls(self) -> list[Any]:
        return [
            path("new/", self.admin_site.admin_view(new), name="transactions_apitoken_new"),
            path("made/", self.admin_site.admin_view(made), name="transactions_apitoken_made"),
            *super().get_urls(),
        ]

    @admin.display(description="account")
    def acts_for(self, token: ApiToken) -> str:
        return str(token.user)

    @admin.display(description="may", empty_value="nothing")
    def rights(self, token: ApiToken) -> str | None:
        # Those of a list are all asked for at once.
        listed: Rights | None = getattr(token, "held", None)
        held = rights_of(token.user) if listed is None else listed
        return "everything" if held == ALL else ", ".join(sorted(held)) or None

    @admin.display(description="made")
    def made(self, token: ApiToken) -> str | None:
        return moment(token.made_at)

    @admin.display(description="expires", empty_value="never")
    def expires(self, token: ApiToken) -> str | None:
        return moment(token.expires_at)

    @admin.display(description="last used", empty_value="never")
    def last_used(self, token: ApiToken) -> str | None:
        return moment(token.last_used_at)

    @admin.display(description="revoked")
    def revoked(self, token: ApiToken) -> str | None:
        return moment(token.revoked_at)

    @display(description="state", label=STATE_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, token: ApiToken) -> str:
        if token.revoked_at is not None:
            return "Revoked"
        return "Expired" if token.expires_at is not None and token.expires_at <= timezone.now() else "Valid"

    def can_be_done(self, action: str, token: ApiToken) -> bool:
        return token.revoked_at is None

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("transactions.change_apitoken")

    @admin.action(permissions=["revoke"], description="Revoke")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        if not self.refuses(request, queryset):
            revoked = _revoke(queryset)
            text = f"{revoked} revoked; every process refuses them within a minute."
            self.message_user(request, text, messages.SUCCESS)


def _revoke(rows: QuerySet[ApiToken]) -> int:
    """Revokes those of `rows` that are not revoked yet, by somebody else meanwhile, and says how many."""
    revoked = 0
    for name in list(rows.filter(revoked_at=None).order_by().values_list("name", flat=True)):
        with suppress(tokens.TokenError):
            tokens.revoke(name)
            revoked += 1
    return revoked
