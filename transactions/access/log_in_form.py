"""The form of the log-in: refuses names that nobody can have, and has them counted like wrong passwords."""

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.core.validators import MaxLengthValidator
from unfold.forms import AuthenticationForm

NAME_CHARACTERS_MAX: int = User._meta.get_field("username").max_length or 150


class LogInForm(AuthenticationForm):  # type: ignore[misc]
    """The theme's form, which checks how long a name is. The browser alone did, and the column that notes
    a failed attempt ends at 255 characters.
    """

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "Please enter the correct name and password. Capital letters count.",
    }

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["username"].validators.append(MaxLengthValidator(NAME_CHARACTERS_MAX))

    def clean(self) -> Any:
        """As Django has it; an attempt that was not made, as the name is too long, has failed as well."""
        cleaned = super().clean()
        if self.has_error("username", "max_length"):
            name = str(self.data["username"])[:NAME_CHARACTERS_MAX].replace("\0", "")
            user_login_failed.send(__name__, credentials={"username": name}, request=self.request)
        return cleaned
