"""Lists of the admin site that stay fast over any number of rows.

Django's own count every row and take any ordering and any filter from the URL. These look at no more than
ROWS_MAX rows to number their pages, keep to the orderings and filters that are meant, and where a statement
takes too long give up with a page that says so.
"""

from collections.abc import Callable
from datetime import datetime, tzinfo
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property

from ..audit.actions import Action
from ..audit.entries import note
from ..stores import bounded_queries
from ..timezones import on_page
from . import exports, giving_up
from .row_actions import RowActions
from .row_forms import RowForm

# Rows that can be paged through, and so the largest OFFSET: 100 pages of 100.
ROWS_MAX = 10_000
# Rows that one action takes; each deleted row becomes a log entry and a line of the confirmation.
ACTION_ROWS_MAX = 1_000
# Digits of a number that is looked for as a key; with more it might not fit a bigint.
KEY_DIGITS_MAX = 18

NONE_LEFT = "None of those that were chosen is in this list any more; nothing was done."

M = TypeVar("M", bound=Model)
if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin
else:
    from unfold.admin import ModelAdmin as ThemedAdmin

    class ModelAdmin(ThemedAdmin):
        """Takes its model as an argument, as Django's class does in its stubs alone."""

        def __class_getitem__(cls, model: object) -> type:
            return cls


def more_than(rows: QuerySet[Any], most: int) -> bool:
    """Whether there are more than `most` rows, of which no more are looked at."""
    return rows.order_by()[: most + 1].count() > most


def moment(value: datetime | None) -> str | None:
    """A moment in the viewer's zone: on the page of a row Django shows what a function returns as it is."""
    return None if value is None else on_page(timezone.localtime(value))


def column(field: str, called: str, *, counted: bool = False) -> Callable[[Any], Any]:
    """A field of a row as a list and the page of one show it, under a name of ours.

    `counted`: a number, in thousands; Django's lists write numbers without.
    """

    @admin.display(description=called)
    def shown(row: Any) -> Any:
        value = getattr(row, field)
        if isinstance(value, datetime):
            return moment(value)
        return f"{value:,}" if counted else value

    # By it the cells of the column are told, and their place on the page of one.
    shown.__name__ = field
    return shown


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # takes none at run time
    """Pages of the first ROWS_MAX rows; `more` tells that there are others."""

    object_list: QuerySet[Any]

    @cached_property
    def more(self) -> bool:
        return self._found > ROWS_MAX

    @cached_property
    def count(self) -> int:
        return min(self._found, ROWS_MAX)

    @cached_property
    def _found(self) -> int:
        return self.object_list.order_by()[: ROWS_MAX + 1].count()


class BoundedChangeList(ChangeList):
    """A change list in the ordering of an index, forwards or backwards."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        declared = [str(name) for name in self.model_admin.get_ordering(request)]
        backwards = [name.removeprefix("-") if name.startswith("-") else f"-{name}" for name in declared]
        return backwards if super().get_ordering(request, queryset)[0] == backwards[0] else declared

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # Django shows how many rows there are without the filters; these are never counted.
        self.full_result_count = self.result_count

    def get_filters(self, request: HttpRequest) -> Any:
        # The form of the search refuses one itself, in the page.
        filters = (values for name, values in request.GET.lists() if name != SEARCH_VAR)
        if any("\0" in value for values in filters for value in values):
            raise IncorrectLookupParameters("PostgreSQL's texts have no NUL.")
        try:
            return super().get_filters(request)
        except (ValueError, OverflowError) as error:  # no year comes after 9999
            raise IncorrectLookupParameters(error) from error


def whole_number(text: str | None, most: int) -> int | None:
    """A number of a URL or a form, in plain digits, from 0 to `most`; None for anything else."""
    if not (text and text.isascii() and text.isdigit() and len(text) <= KEY_DIGITS_MAX):
        return None
    return number if (number := int(text)) <= most else None


def is_key(text: str) -> bool:
    """Whether a text from a URL or a form may be the key of a row."""
    return whole_number(text, 10**KEY_DIGITS_MAX) is not None


class KeyedRows(RowActions):
    """Rows by their keys: one that there is not is a 404, and what is no key in a form is a 400.

    Where none of those chosen is left that is said, before anything is asked of nothing or done to it.
    """

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any) -> Any:
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        try:
            for key in chosen:
                queryset.model._meta.pk.to_python(key)
        except ValidationError as error:
            raise BadRequest("A selected row has no such key.") from error
        across = request.POST.get("select_across") == "1"
        if chosen and not across and not queryset.filter(pk__in=chosen).exists():
            messages.warning(request, NONE_LEFT)
            return None
        return super().response_action(request, queryset, *args)

    def _get_obj_does_not_exist_redirect(self, *_: Any) -> HttpResponse:
        # Django goes to the overview, with a message and a 200.
        raise Http404("There is no such row.")


class BoundedAdmin(KeyedRows, RowForm, ModelAdmin[M]):
    """Facts to look at: nobody adds, nobody changes, and lists that are bounded."""

    list_per_page = 100
    list_max_show_all = 100
    show_full_result_count = False
    # Facets count each filter's rows.
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    sortable_by: ClassVar[tuple[str, ...]] = ()
    # The lookups of fields that a URL may carry, beside the parameters of filter classes.
    lookups_allowed: frozenset[str] = frozenset()
    # What the list's CSV has; empty: it cannot be exported.
    export_columns: ClassVar[tuple[str, ...]] = ()
    change_list_template = "admin/transactions/bounded_list.html"
    # What one row and several are called under the list, where its title is neither; what an empty one says.
    rows_called: tuple[str, str] | None = None
    empty_value_display = ""
    empty_title = "Nothing here yet"
    empty_text = ""
    # Whether the first transaction brings the first row: the overview says how it comes in.
    fills_by_itself = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in self.lookups_allowed

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method != "GET":
            return super().changelist_view(request, extra_context)
        extra_context = {**(extra_context or {}), "export_url": self._export_url(request)}
        show = super().changelist_view
        return giving_up.in_bounds(request, lambda: show(request, extra_context))

    def get_urls(self) -> list[Any]:
        if not self.export_columns:
            return super().get_urls()
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/", self.admin_site.admin_view(self.export), name=name), *super().get_urls()]

    def _export_url(self, request: HttpRequest) -> str:
        """The CSV of the list as it is filtered now, whichever of its pages is shown."""
        if not self.export_columns:
            return ""
        query = request.GET.copy()
        query.pop(PAGE_VAR, None)
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_export"
        return f"{reverse(name)}?{query.urlencode()}"

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """The list as its URL narrows it, all of it, as a CSV file; noted in the audit trail."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        name = str(self.opts.verbose_name_plural)

        try:
            asked = bounded_queries.in_time(lambda: self.export_rows(request))
        except IncorrectLookupParameters:
            raise BadRequest("A filter of this list makes no sense.") from None
        if asked is None:
            return giving_up.too_slow(request)
        rows, zone = asked
        response = exports.download(rows, self.export_columns, name, zone)
        if response is None:
            return giving_up.too_slow(request)
        if response.status_code == HTTPStatus.OK:
            try:
                note(Action.EXPORTED, name, query=request.GET.urlencode())
            except BaseException:
                response.close()
                raise
        return response

    def export_rows(self, request: HttpRequest) -> tuple[QuerySet[M], tzinfo]:
        """The rows that the list shows, and the zone of their moments. Raises IncorrectLookupParameters."""
        return self.get_changelist_instance(request).get_queryset(request), timezone.get_current_timezone()

    def refuses(self, request: HttpRequest, rows: QuerySet[M]) -> bool:
        """Whether `rows` are too many for one action, which is then told to the operator."""
        if not more_than(rows, ACTION_ROWS_MAX):
            return False
        text = f"An action takes at most {ACTION_ROWS_MAX:,} rows at once; nothing was done."
        self.message_user(request, text, messages.ERROR)
        return True


class ChosenFilter(admin.SimpleListFilter):
    """A filter by a key that stands in a link; shown only while it is on, so that it never lists all keys."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        key = self.value()
        if key is None:
            return []
        if not is_key(key):
            raise IncorrectLookupParameters(f"{self.parameter_name} is no key")
        return [(key, self.name_of(int(key)))]

    def name_of(self, key: int) -> str:
        """What the filter calls the object of a key."""
        return str(key)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        key = self.value()
        return queryset if key is None else queryset.filter(**{f"{self.parameter_name}_id": int(key)})
