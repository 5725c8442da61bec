"""The markup of a page without what no browser shows: where its lines end, and white space beside tags."""

import re

from django.http.response import HttpResponseBase


def markup(response: HttpResponseBase) -> str:
    text = re.sub(r"\s+", " ", response.content.decode())  # type: ignore[attr-defined]  # no stream
    return re.sub(r"(?<=>) | (?=[<>])", "", text)
