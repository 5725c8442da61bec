"""What forms say of what is wrong with a field, as a person says it: Django speaks as a developer.

Fields take these for faults that have no sentence of their own. Those of the API's
serializers, which pages check by too, stay as they are for its clients.
"""

from typing import Any

from django.forms import ChoiceField, Field, ModelChoiceField, ModelMultipleChoiceField, MultipleChoiceField

SENTENCES = {
    "required": "Fill this in.",
    "unique": "There is one of this name already.",
    "max_length": "At most %(limit_value)s characters: this has %(show_value)s.",
    "min_length": "At least %(limit_value)s characters: this has %(show_value)s.",
    "max_value": "At most %(limit_value)s.",
    "min_value": "At least %(limit_value)s.",
}
OF_CHOICES = {
    "invalid_choice": "Choose among what is offered.",
    "invalid_list": "Choose among what is offered.",
    "invalid_pk_value": "Choose among what is offered.",
}
# Of the API's, by their codes, those that name nothing.
OF_API = ("required", "invalid_choice")
CHOOSING = (ChoiceField, MultipleChoiceField, ModelChoiceField, ModelMultipleChoiceField)


def say() -> None:
    """From now on. Django has no setting for it."""
    Field.default_error_messages = {**Field.default_error_messages, **SENTENCES}
    for kind in CHOOSING:
        kind.default_error_messages = {**kind.default_error_messages, **OF_CHOICES}


def of_api(fault: Any) -> str:
    """A fault that a serializer found, on a page."""
    code = getattr(fault, "code", "")
    return {**SENTENCES, **OF_CHOICES}[code] if code in OF_API else str(fault)
