"""The calls about lists of users."""

from django.shortcuts import get_object_or_404
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from ..openapi import rules as operations
from ..rulebook import bodies, pages, parameters
from ..rules import changes, list_entries
from ..rules.models import ListEntry, UserList
from .base import Nothing, paged
from .rule_view import CHANGES, RuleView


class UserLists(RuleView):
    """GET lists of users, page by page; POST another one."""

    rights = CHANGES
    asks = parameters.ListsParameters

    @operations.LISTS
    def get(self, request: Request) -> Response:
        return paged(request, pages.lists(self.asked.validated_data))

    @operations.ADD_LIST
    def post(self, request: Request) -> Response:
        made = changes.make_list(**self.posted(request, bodies.NewList).validated_data)
        return Response(pages.user_list(made.pk), status=status.HTTP_201_CREATED)


class UserListDetail(RuleView):
    """GET a list of users."""

    @operations.LIST
    def get(self, request: Request, id: str) -> Response:
        return Response(pages.user_list(int(id)))


class ListEntries(RuleView):
    """GET who stands on a list, and who did, page by page; POST users who are to stand there."""

    rights = CHANGES
    moment = "expires_at"
    asks = parameters.EntryParameters

    @operations.ENTRIES
    def get(self, request: Request, id: str) -> Response:
        users = get_object_or_404(UserList, pk=id)
        return paged(request, pages.entries(users, self.asked.validated_data))

    @operations.ADD_ENTRIES
    def post(self, request: Request, id: str) -> Response:
        users = get_object_or_404(UserList, pk=id)
        valid = self.posted(request, bodies.NewEntries).validated_data
        added = list_entries.add_entries(
            users,
            valid["users"],
            by=self.author(request),
            expires=valid["expires_at"],
            comment=valid["comment"],
        )
        return Response({"added": added, "there_already": len(set(valid["users"])) - added})


class EndEntry(RuleView):
    """POST that the user of an entry leaves the list: an entry is never edited otherwise."""

    rights = CHANGES

    @operations.END_ENTRY
    def post(self, request: Request, id: str, entry: str) -> Response:
        self.posted(request, Nothing)
        found = get_object_or_404(ListEntry.objects.select_related("made_by"), list=id, pk=entry)
        list_entries.end_entry(found, self.author(request))
        return Response(pages.entry_as_dict(found))
