"""How a line of the log looks, and what never stands in one."""

import json
import logging
import re

import pytest

from transaction_monitoring.observability.logs import JSONFormatter, ReadableFormatter, redacted, request_id

# Whatever we say of it: an amount like no other number.
AMOUNT = 867_530_931_337


@pytest.mark.parametrize("formatter", [JSONFormatter(), ReadableFormatter()])
def test_a_line_says_what_happened_and_leaves_out_what_it_must(formatter: logging.Formatter) -> None:
    words = f"txmon_{'A' * 43} is null\nDETAIL:  Failing row contains ({AMOUNT}).\nCONTEXT:  COPY"
    try:
        raise ValueError(words)
    except ValueError as error:
        told = (type(error), error, error.__traceback__)
    record = logging.LogRecord("pipeline", logging.ERROR, "file", 1, "A \x1b[2J\udcff %s", ("é",), told)
    mark = request_id.set("request-1")
    text = formatter.format(record)
    request_id.reset(mark)
    assert "ERROR" in text
    assert "request-1" in text
    assert "Traceback" in text
    assert "\x1b" not in text
    text.encode()
    for secret in ("AAAA", str(AMOUNT), "COPY"):
        assert secret not in text
    assert redacted(f"IntegrityError('no\\nDETAIL: {AMOUNT}')") == "IntegrityError('no\\nDETAIL: (left out)"


def test_a_line_of_json_is_one_line() -> None:
    record = logging.LogRecord("pipeline", logging.INFO, "file", 1, "two\nlines", (), None)
    told = json.loads(JSONFormatter().format(record))
    assert "\n" not in JSONFormatter().format(record)
    assert (told["message"], told["level"], told["logger"]) == ("two\nlines", "INFO", "pipeline")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["time"])
    assert "request_id" not in told
