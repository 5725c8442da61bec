"""How a file is read where it does not show it, as a form: its header's line, its sheet and the like."""

from collections.abc import Mapping

from ...importing import mapping as mappings
from ...importing.keys import READING
from ...importing.mapping import MappingError
from ...importing.wording import named_by
from ...uploads.labels import as_field, label_of
from ...uploads.models import Upload
from .mapping_form import TYPED_CHARACTERS_MAX, FormField

SECTION = "How it is read"
_HELP = {
    "header": "Of CSV, or the row of a sheet: what stands above is passed over. 0 where none is.",
    "sheet": "Of an Excel file in which several have values.",
    "member": "Of a zip that holds several tables.",
    "delimiter": "Of CSV: one character, or tab.",
    "encoding": "Of CSV or JSON, as utf-16 or latin-1.",
}


def shown(upload: Upload) -> list[FormField]:
    """The fields, with what was stated before."""
    stated = mappings.parse(upload.mapping).reading
    return [_field(upload, key, str(stated.get(key, ""))) for key in READING]


@named_by(as_field)
def typed(upload: Upload, posted: Mapping[str, str]) -> tuple[list[FormField], mappings.Mapping]:
    """The fields as somebody has sent them, each with its error, and what they state."""
    fields, stated = [], mappings.Mapping()
    for key in READING:
        text = posted.get(f"read.{key}", "")[:TYPED_CHARACTERS_MAX]
        field = _field(upload, key, text)
        if text.strip():
            try:
                stated = stated.stating(key, text)
            except MappingError as error:
                field.error = str(error)
        fields.append(field)
    return fields, stated


def _field(upload: Upload, key: str, value: str) -> FormField:
    found = FormField(SECTION, key, label_of(key), "tab" if value == "\t" else value, help=_HELP[key])
    if offered := (upload.guessed or {}).get("choices", {}).get(key):
        found.choices = (("", "–"), *((each, each) for each in offered))
        found.asked = "The file has several: choose one."
    return found
