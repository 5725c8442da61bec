"""What is typed about webhooks on their pages, checked with the words of the API."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import QueryDict

from ..notifications import endpoints
from ..notifications.models import TYPES, Endpoint, Format, MessageType


class EndpointForm(forms.Form):
    """Where messages go, and which."""

    url = forms.CharField(
        label="URL",
        max_length=2_000,
        widget=forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false", "autocomplete": "off"}),
        help_text="As in https://example.org/webhooks.",
    )
    description = forms.CharField(max_length=2_000, required=False, help_text="What it is, or whose.")
    types = forms.MultipleChoiceField(
        choices=[(each, MessageType(each).label) for each in TYPES],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Messages",
        help_text="None means all.",
    )

    def clean_url(self) -> str:
        given = self.cleaned_data["url"]
        return _checked(endpoints.checked_url, given) if given else ""

    def clean_description(self) -> str:
        return _checked(endpoints.checked_text, self.cleaned_data["description"])


class NewEndpointForm(EndpointForm):
    """The same, and how messages look there, which stays."""

    format = forms.ChoiceField(
        choices=[
            (Format.STANDARD.value, "A program: signed by Standard Webhooks"),
            (Format.SLACK.value, "A channel of Slack: an incoming webhook"),
            (Format.TEAMS.value, "A channel of Teams: a workflow that posts cards"),
        ],
        initial=Format.STANDARD.value,
        required=False,
        widget=forms.RadioSelect,
        label="To",
    )
    field_order = ("format", "url", "description", "types")

    def clean_format(self) -> str:
        return self.cleaned_data["format"] or Format.STANDARD.value


def change_form(endpoint: Endpoint, posted: QueryDict | None) -> EndpointForm:
    """The form of an endpoint that there is; the URL of a channel stays unless another is given."""
    known = {"description": endpoint.description, "types": endpoint.types}
    if endpoint.is_signed:
        return EndpointForm(posted, initial={**known, "url": endpoint.url})
    form = EndpointForm(posted, initial=known)
    form.fields["url"].required = False
    form.fields["url"].label = "Another URL"
    form.fields["url"].help_text = "It has one, which is kept encrypted."
    return form


def _checked(check: Callable[[Any], str], text: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise forms.ValidationError(str(error)) from None
