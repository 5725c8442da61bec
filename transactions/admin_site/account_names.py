"""The name of an account as forms take it: as it is kept, and with something to see."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from ..access.log_in_form import NAME_CHARACTERS_MAX
from ..encodings import checked_words

NO_NAME = "A name has only letters, digits and the characters @ . + - _, and no spaces."

if TYPE_CHECKING:
    from django.forms import ModelForm

    Form = ModelForm[Any]
else:
    Form = object


class NamingForm(Form):
    """A form of an account; its name is composed before it is checked, and may grow by that.

    A name that it has already is not judged: whatever it is, its account can be switched off.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if "username" in self.fields:
            self.fields["username"].error_messages["invalid"] = NO_NAME
        if self._keeps_its_name():
            self.fields["username"].validators = []

    def _keeps_its_name(self) -> bool:
        return (
            self.instance.pk is not None and "username" in self.fields and "username" not in self.changed_data
        )

    def _get_validation_exclusions(self) -> set[str]:
        # Django's, of what the model does not judge either.
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]  # its stubs do not know it
        return excluded | {"username"} if self._keeps_its_name() else excluded

    def clean_username(self) -> str:
        if self._keeps_its_name():
            return str(self.cleaned_data["username"])
        name = User.normalize_username(self.cleaned_data["username"])
        if len(name) > NAME_CHARACTERS_MAX:
            raise ValidationError(
                f"As it is kept this has {len(name)} characters: at most {NAME_CHARACTERS_MAX}."
            )
        try:
            self.cleaned_data["username"] = checked_words(name, "A name", NAME_CHARACTERS_MAX)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        # Django's form of a new account looks whether there is one of this name.
        further = getattr(super(), "clean_username", None)
        checked: str = further() if further else self.cleaned_data["username"]
        return checked
