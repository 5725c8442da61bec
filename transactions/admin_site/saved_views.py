"""Saved views of the list of transactions: made, offered and taken away."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.views.decorators.http import require_POST

from ..audit.actions import Action
from ..audit.entries import note
from ..encodings import checked_words
from ..models import VIEW_NAME_MAX, VIEW_QUERY_MAX, SavedView
from ..reading.narrow_parameters import NarrowParameters
from ..review.links import list_of

# Of one person; and so many shared ones are offered.
VIEWS_MAX = 100
# What belongs to a page of the list, and to no view.
OF_A_PAGE = ("cursor", "before", "view")

NEEDED = f"A view needs a name of at most {VIEW_NAME_MAX} characters."


def offered(user: Any) -> list[SavedView]:
    """The views of a person, then those that others share, by name."""
    views = SavedView.objects.select_related("owner").order_by("name", "pk")
    own = views.filter(owner=user)[:VIEWS_MAX]
    return [*own, *views.filter(shared=True).exclude(owner=user)[:VIEWS_MAX]]


def find(user: Any, key: str) -> SavedView | None:
    """The view of a key, if this person may see it."""
    if "\0" in key:
        return None
    return SavedView.objects.filter(Q(owner=user) | Q(shared=True), key=key).first()


def may_delete(user: Any, view: SavedView) -> bool:
    """Its owner may, and a superuser may."""
    return view.owner_id == user.pk or bool(user.is_superuser)


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keeps the query of the form under its name; one of that name of the same person is replaced."""
    query = _of_view(request.POST.get("query", ""))
    try:
        name = checked_words(" ".join(request.POST.get("name", "").split()), "Its name", VIEW_NAME_MAX)
    except ValueError as error:
        messages.error(request, f"{NEEDED} {error}")
        return HttpResponseRedirect(list_of("transaction", query[:VIEW_QUERY_MAX]))
    if len(query) > VIEW_QUERY_MAX or not _opens(query):
        messages.error(request, "A view is of a list that opens, and that is asked for by a short query.")
        return HttpResponseRedirect(list_of("transaction", ""))
    view = _kept(request.user.pk, name, query, shared=request.POST.get("shared") == "on")
    if view is None:
        messages.error(request, f"You have {VIEWS_MAX} views; delete one first.")
        return HttpResponseRedirect(list_of("transaction", query))
    return HttpResponseRedirect(list_of("transaction", f"view={view.key}"))


@require_POST
def delete(request: HttpRequest, key: str) -> HttpResponse:
    """Takes a view away."""
    view = find(request.user, key)
    if view is None:
        raise Http404
    if not may_delete(request.user, view):
        raise PermissionDenied
    with transaction.atomic():
        if view.shared:
            _note(Action.VIEW_DELETED, view)
        view.delete()
    messages.success(request, f"The view “{view.name}” is deleted.")
    return HttpResponseRedirect(list_of("transaction", view.query if _opens(view.query) else ""))


@transaction.atomic
def _kept(owner: int | None, name: str, query: str, *, shared: bool) -> SavedView | None:
    """The view of this name, made or replaced; None where one more would be too many."""
    theirs = SavedView.objects.filter(owner_id=owner)
    before = theirs.select_for_update().filter(name=name).first()
    if before is None and theirs.count() >= VIEWS_MAX:
        return None
    view, _ = SavedView.objects.update_or_create(
        owner_id=owner, name=name, defaults={"query": query, "shared": shared}
    )
    was_shared = before is not None and before.shared
    if shared != was_shared:
        _note(Action.VIEW_SHARED if shared else Action.VIEW_UNSHARED, view)
    elif shared and before is not None and before.query != query:
        _note(Action.VIEW_CHANGED, view)
    return view


def _opens(query: str) -> bool:
    """Whether the list can be narrowed so: what a query names may be gone since."""
    return "%00" not in query and NarrowParameters(data=QueryDict(query)).is_valid()


def _note(action: Action, view: SavedView) -> None:
    note(action, view, owner=view.owner.get_username())


def _of_view(text: str) -> str:
    query = QueryDict(text[: 4 * VIEW_QUERY_MAX], mutable=True)
    for name in OF_A_PAGE:
        query.pop(name, None)
    return str(query.urlencode())
