"""How a file is read where it does not show it, as a form: its header's line, its sheet and the like."""

from collections.abc import Mapping

from ...importing import mapping as mappings
from ...importing.keys import READING
from ...importing.mapping import MappingError
from ...uploads.models import Upload
from .mapping_form import TYPED_CHARACTERS_MAX, FormField

SECTION = "How it is read"
_SAID = {
    "header": ("Line of the header", "Of CSV, or the row of a sheet: what stands above is passed over."),
    "sheet": ("Sheet", "Of an Excel file in which several have values."),
    "member": ("File in the zip", "Of a zip that holds several tables."),
    "delimiter": ("Delimiter", "Of CSV: one character, or tab."),
    "encoding": ("Encoding", "Of CSV or JSON, as utf-16 or latin-1."),
}


def shown(upload: Upload) -> list[FormField]:
    """The fields, with what was stated before."""
    stated = mappings.parse(upload.mapping).reading
    return [_field(key, str(stated.get(key, ""))) for key in READING]


def typed(posted: Mapping[str, str]) -> tuple[list[FormField], mappings.Mapping]:
    """The fields as somebody has sent them, each with its error, and what they state."""
    fields, stated = [], mappings.Mapping()
    for key in READING:
        text = posted.get(f"read.{key}", "")[:TYPED_CHARACTERS_MAX]
        field = _field(key, text)
        if text.strip():
            try:
                stated = stated.stating(key, text)
            except MappingError as error:
                field.error = str(error)
        fields.append(field)
    return fields, stated


def _field(key: str, value: str) -> FormField:
    label, help = _SAID[key]
    return FormField(SECTION, key, label, "tab" if value == "\t" else value, help=help)
