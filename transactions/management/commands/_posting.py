"""What the commands that post have in common on their command lines."""

import os
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandParser

from transactions.client.api import PATIENCE_S, Client, default_url
from transactions.client.status_line import StatusLine


def positive(text: str) -> float:
    """A finite number over 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number over 0")
    return value


def positive_whole(text: str) -> int:
    """A whole number over 0."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ArgumentTypeError(f"{text!r} is no whole number over 0")
    return int(text)


def add_client_arguments(parser: CommandParser) -> None:
    """--url, --token and --patience, which `client` reads."""
    parser.add_argument(
        "--url", default=default_url(), metavar="URL", help="Where the API is; by default %(default)s."
    )
    parser.add_argument(
        "--token",
        metavar="T",
        help="A token that may post. Better in the environment, as API_TOKEN: a command line can be read by "
        "every user of the machine.",
    )
    parser.add_argument(
        "--patience",
        type=positive,
        default=PATIENCE_S,
        metavar="S",
        help="Seconds for which a batch without an answer is sent again; by default %(default)s.",
    )


def client(options: dict[str, Any], status: StatusLine) -> Client:
    """The client that the options ask for. Raises PostingError."""
    token = options["token"] or os.environ.get("API_TOKEN", "")
    return Client(options["url"], token, patience_s=options["patience"], notice=status.say)
