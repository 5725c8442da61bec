"""What of a page's layout is broken, as its reader would see it."""

from pathlib import Path

from playwright.sync_api import Page

# What stands in one line, whatever its words: a number or a word broken inside it would be two.
ONE_LINE = (
    ".pill, .chip, .button, .count, .id, .plain .number, .plain thead th, .figure-label, .sidebar li a, "
    ".money .figure-value, .switch button, .failing-count"
)
# Whose children stand side by side or one below the other, and never on each other.
ROWS = (
    ".top-bar, .top-chips, .page-head, .page-tools, .card-head, .filters, .buttons, .figure, "
    ".facts div, .switch, .failing li"
)
FAULTS = Path(__file__).with_name("layout.js").read_text()


def faults(page: Page) -> list[str]:
    """What is wider than the screen, stands on something else, or breaks inside a word or a number."""
    found: list[str] = page.evaluate(FAULTS, [ONE_LINE, ROWS])
    return found
