"""Whatever the documents, comments and docstrings name is there: paths, modules, tests, commands, links.

A document or a remark (a comment, a docstring) outlives what it speaks of when that is moved or
renamed. The changelog is history and may name what is gone.
"""

import ast
import importlib.util
import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("transactions", "transaction_monitoring", "benchmarks", "dev", "tests")
FOLDERS = (*PACKAGES, "deploy", "docs")
APPLICATION = (ROOT / "transactions", ROOT / "transaction_monitoring")
CODE = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
CODE += [ROOT / "conftest.py", ROOT / "manage.py"]
DOCUMENTS = [path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if path.name != "CHANGELOG.md"]
ARCHITECTURE = ROOT / "docs/architecture.md"

# Files that are not Python's, and how a comment begins in them. A template's has a line to itself.
HASHED = (
    "pyproject.toml",
    "deptry.toml",
    "docker-compose.yml",
    "Makefile",
    "Dockerfile",
    ".env.example",
    ".ci/run",
)
MARKS: dict[Path, str] = {
    **dict.fromkeys((ROOT / "transactions").rglob("*.lua"), "--"),
    **dict.fromkeys((ROOT / "transactions").rglob("*.sql"), "--"),
    **dict.fromkeys((ROOT / "transactions").rglob("*.js"), "//"),
    **dict.fromkeys((ROOT / "transactions").rglob("*.html"), "{#"),
    **dict.fromkeys(
        (path for path in (ROOT / "deploy").rglob("*") if path.is_file() and path.suffix != ".pyc"), "#"
    ),
    **dict.fromkeys((ROOT / name for name in HASHED), "#"),
}

# What looks like a name of ours and is a word of another program, of the database or of the API.
FOREIGN = {
    "app.tests.Class.test": "how Django calls a test",
    "app/tests.py": "how pytest calls its module",
    "Chart.js": "the library that draws",
    "alerts.change": "a right",
    "alerts.view": "a right",
    "events.view": "a right",
    "webhooks.manage": "a right",
    "alert.opened": "a type of messages",
    "alert.updated": "a type of messages",
    "alert.closed": "a type of messages",
    "rule.activated": "a type of messages",
    "system.alarm": "a type of messages",
    "system.recovered": "a type of messages",
    "webhook.test": "a type of messages",
    "rules.approve": "a right",
    "rules.change": "a right",
    "rules.view": "a right",
    "startproject": "a command of django-admin",
    "index": "a field of the API's answers",
    "same": "an account of dev/launch.py: that which starts it",
    "axes_reset": "a command of django-axes",
    "worker_ready": "a signal of Celery's",
    "register_script": "a method of redis-py",
    "transactional_db": "a fixture of pytest-django",
    "transactions.keep_rollups": "a setting of a PostgreSQL transaction",
    "transactions.dump": "a file that the reader makes",
    "transactions.target": "a unit of systemd",
}

_PATH = re.compile(rf"(?<![\w./@-])(?:{'|'.join(FOLDERS)})/(?:[\w.*@-]+/?)*(?:::\w+)?")
_DOTTED = re.compile(rf"(?<![\w./-])(?:{'|'.join(PACKAGES)})(?:\.[a-zA-Z_]\w*)+")
# As in "Raises bulk_insert.Superseded", which docstrings write without quotes.
_CLASS = re.compile(r"(?<![\w.`/])([a-z_]+)\.([A-Z]\w+)")
_QUOTED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_NAME = re.compile(r"[a-zA-Z_]\w*(?:\.[a-zA-Z_]\w*)*")
_FILE = re.compile(r"[\w-]+\.(?:py|lua|sql|js|html)")
# The same with some of its folders, also where nobody has put it into backticks.
_ANY_FILE = re.compile(rf"(?<![\w./*@-])(?:[\w-]+/)*{_FILE.pattern}(?!\w)")
_COMMAND = re.compile(r"`(?:\S+/)?(?:python )?(make|manage\.py) ([a-z][\w-]*)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Text(NamedTuple):
    """A document, or a remark of a file, and the line at which it begins."""

    path: Path
    line: int
    words: str


# --- What there is ---------------------------------------------------------------------------


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def defined_in(module: Path) -> frozenset[str]:
    """The names that a module gives to what it makes itself, and those in its classes."""
    found: set[str] = set()
    for node in (*tree_of(module).body, *(inner for each in _classes(module) for inner in each.body)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found.update(target.id for target in targets if isinstance(target, ast.Name))
    return frozenset(found)


def _classes(module: Path) -> Iterator[ast.ClassDef]:
    return (node for node in tree_of(module).body if isinstance(node, ast.ClassDef))


def leads_somewhere(dotted: str, start: Path = ROOT) -> bool:
    """Whether a dotted name is a package, a module or something that a module makes, seen from `start`."""
    names = dotted.split(".")
    while names and (start / names[0]).is_dir():
        start /= names.pop(0)
    module = start / f"{names[0]}.py" if names else start
    return not names or (module.is_file() and defined_in(module).issuperset(names[1:]))


@cache
def is_a_file(name: str) -> bool:
    """Whether a file somewhere in the project is called so; `name` may begin with some of its folders."""
    return (ROOT / name).is_file() or any(any((ROOT / folder).rglob(name)) for folder in FOLDERS)


@cache
def docstrings(path: Path) -> tuple[ast.Constant, ...]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    firsts = (node.body[0] for node in ast.walk(tree_of(path)) if isinstance(node, kinds) and node.body)
    found = (first.value for first in firsts if isinstance(first, ast.Expr))
    return tuple(each for each in found if isinstance(each, ast.Constant) and isinstance(each.value, str))


@cache
def words_of(path: Path) -> frozenset[str]:
    """Every name of a file's code, and every word of its strings (SQL, keys), but not of its remarks."""
    if path in MARKS:
        lines = path.read_text().splitlines()
        code = "\n".join(line for line in lines if not line.lstrip().startswith(MARKS[path]))
        return frozenset(re.findall(r"\w+", code))
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        for kind in ("id", "attr", "arg", "name", "asname", "module"):
            found.update(str(getattr(node, kind, "")).split("."))
        if isinstance(node, ast.Constant) and node not in docstrings(path):
            value = node.value.decode(errors="replace") if isinstance(node.value, bytes) else str(node.value)
            found.update((value, *re.findall(r"\w+", value)))
    return frozenset(found)


def _remarks() -> Iterator[Text]:
    for path in CODE:
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.COMMENT:
                yield Text(path, token.start[0], token.string)
        yield from (Text(path, each.lineno, str(each.value)) for each in docstrings(path))
    for path, mark in MARKS.items():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.lstrip().startswith(mark):
                yield Text(path, number, line)


# Read by the first test that asks, not by every process that only looks which tests there are.
@cache
def remarks() -> list[Text]:
    """The comments and docstrings of the code, and the comments of what stands beside it."""
    return list(_remarks())


@cache
def pages() -> list[Text]:
    """The documents, whole."""
    return [Text(path, 1, path.read_text()) for path in DOCUMENTS]


def texts() -> list[Text]:
    return remarks() + pages()


# --- What is named and is not there ----------------------------------------------------------


def lost_paths(text: Text) -> Iterator[str]:
    """Paths from the root (`*` stands for any), with or without the name of a test behind them."""
    for match in _PATH.finditer(text.words):
        path, _, test = match[0].rstrip(".").partition("::")
        found = list(ROOT.glob(path.rstrip("/")))
        if not found or (test and test not in defined_in(found[0])):
            yield match[0]


def lost_files(text: Text) -> Iterator[str]:
    """Files of the code by their names, with or without some of the folders in which they are."""
    for match in _ANY_FILE.finditer(text.words):
        if not is_a_file(match[0]) and match[0] not in FOREIGN:
            yield match[0]


def lost_dotted_names(text: Text) -> Iterator[str]:
    """Names that begin with a package of ours, and classes said to be of a module of ours."""
    for match in _DOTTED.finditer(text.words):
        if match[0] not in FOREIGN and not leads_somewhere(match[0]):
            yield match[0]
    for match in _CLASS.finditer(text.words):
        modules = [path for path in CODE if path.stem == match[1]]
        if modules and not any(match[2] in defined_in(path) for path in modules):
            yield match[0]


def lost_names(text: Text) -> Iterator[str]:
    """Names in backticks in a remark: words of that very file, modules beside it, rooms, or files.

    A module of another room bears that room's name, so that one finds it. What an installed package
    of others has is not looked for.
    """
    home = ROOT / text.path.relative_to(ROOT).parts[0]
    beside = (text.path.parent, home, ROOT, *APPLICATION)
    for quoted in _QUOTED.findall(text.words):
        if not _NAME.fullmatch(quoted) or quoted in FOREIGN or quoted in words_of(text.path):
            continue
        if _FILE.fullmatch(quoted):
            if not is_a_file(quoted):
                yield quoted
            continue
        places = [place for place in beside if place.is_dir()]
        if not any(leads_somewhere(quoted, place) for place in places):
            head, *rest = quoted.split(".")
            ours = any(leads_somewhere(head, place) for place in places)
            known = words_of(text.path).issuperset([head, *rest])
            if ours or not (known or (rest and importlib.util.find_spec(head))):
                yield quoted


def lost_modules(text: Text) -> Iterator[str]:
    """In a document: a file by its name alone, or the dotted name of what is in a room."""
    for quoted in _QUOTED.findall(text.words):
        if _FILE.fullmatch(quoted):
            if not is_a_file(quoted):
                yield quoted
        elif "." in quoted and _NAME.fullmatch(quoted) and quoted not in FOREIGN:
            head = quoted.partition(".")[0]
            of_a_room = any(leads_somewhere(head, place) for place in APPLICATION)
            if of_a_room and not any(leads_somewhere(quoted, place) for place in APPLICATION):
                yield quoted


def lost_commands(text: Text) -> Iterator[str]:
    """Targets of make, and commands of manage.py, Django's and its applications' among them."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for program, command in _COMMAND.findall(text.words):
        if command not in (targets if program == "make" else get_commands()):
            yield f"{program} {command}"


def lost_links(text: Text) -> Iterator[str]:
    """Links to files and to headings of documents; those to other hosts are not looked at."""
    for link in _LINK.findall(text.words):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = text.path.parent / name if name else text.path
        if not target.exists() or (anchor and anchor not in _anchors(target.read_text())):
            yield link


def _anchors(document: str) -> set[str]:
    """What its headings are called in links: in small letters, signs left out, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", document, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def lost(texts: Iterable[Text], look: Callable[[Text], Iterator[str]]) -> list[str]:
    return [f"{text.path.relative_to(ROOT)}:{text.line}: {name}" for text in texts for name in look(text)]


# --- Tests ------------------------------------------------------------------------------------


def test_every_path_that_is_named_is_there() -> None:
    assert lost(texts(), lost_paths) == []


def test_every_file_that_is_named_is_there() -> None:
    assert lost(texts(), lost_files) == []


def test_every_dotted_name_of_ours_leads_somewhere() -> None:
    assert lost(texts(), lost_dotted_names) == []


def test_a_remark_names_only_what_its_file_has_and_what_its_reader_can_find() -> None:
    told = [text for text in remarks() if text.path.suffix in (".py", ".lua", ".sql", ".js", ".html")]
    assert lost(told, lost_names) == []


def test_every_module_and_file_that_a_document_names_is_there() -> None:
    assert lost(pages(), lost_modules) == []


def test_every_command_that_is_named_is_there() -> None:
    assert lost(texts(), lost_commands) == []


def test_every_link_of_a_document_leads_somewhere() -> None:
    assert lost(pages(), lost_links) == []


def test_nothing_foreign_is_listed_that_nobody_names() -> None:
    said = "\n".join(text.words for text in texts() if text.path != Path(__file__))
    assert [name for name in FOREIGN if not re.search(rf"\b{re.escape(name)}\b", said)] == []


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (lost_paths, "see transactions/lane.py"),
        (lost_paths, "`transactions/tokens`, which is gone"),
        (lost_paths, "`tests/storing/test_flush.py::test_that_nobody_wrote`"),
        (lost_files, "The lock is that of stores/postgres_locks.py."),
        (lost_files, "asked by queue/history.py"),
        (lost_files, "see accepting.lua"),
        (lost_dotted_names, "what all processes have counted (see `transactions.tally`)"),
        (lost_dotted_names, "`transactions.live.feed.Board` shows it"),
        (lost_dotted_names, "Raises ingest.IntakeUnavailable, which says nothing."),
        (lost_names, "whose bucket it is; see `limits`"),
        (lost_names, "see `live.board`"),
        (lost_names, "see `fast_lane`, in another room"),
        (lost_names, "as `lane.lua` does"),
        (lost_modules, "answered by `intake.lane`"),
        (lost_modules, "the script is `acknowledge.lua`"),
        (lost_commands, "`make bricks` does it"),
        (lost_commands, "`manage.py verify` tells, `manage.py balance` does not"),
        (lost_links, "[the books](architecture.md#the-bookkeeping)"),
        (lost_links, "[how to mend it](mending.md)"),
    ],
)
def test_what_is_gone_is_found(look: Callable[[Text], Iterator[str]], words: str) -> None:
    beside = ROOT / "transactions/live/hub.py" if look is lost_names else ARCHITECTURE
    assert len(list(look(Text(beside, 1, words)))) == 1


# --- The architecture, room by room -----------------------------------------------------------

# The two packages, and every folder of theirs whose __init__ says what happens there.
ROOMS = [
    path.parent
    for package in APPLICATION
    for path in (package / "__init__.py", *sorted(package.glob("*/__init__.py")))
    if path.parent == package or path.read_text().startswith('"""')
]


def section_of(room: Path) -> str:
    """What the architecture says below the heading that names the room, up to the next heading."""
    heading = rf"^#+ `{room.relative_to(ROOT).as_posix()}/`.*$"
    (_, section) = re.split(heading, ARCHITECTURE.read_text(), maxsplit=1, flags=re.MULTILINE)
    return re.split(r"^#", section, maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(ROOT).as_posix())
def test_each_module_has_its_line_in_the_architecture(room: Path) -> None:
    """In the table below the heading that names its room; nothing else stands there."""
    table = section_of(room).partition("| module | |\n| --- | --- |\n")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines() for name in _QUOTED.findall(row.split(" | ")[0])]
    files = [path for path in room.iterdir() if path.is_file() and path.stem != "__init__"]
    assert sorted(named) == sorted(path.stem if path.suffix == ".py" else path.name for path in files)


def test_each_room_has_a_folder_of_tests_and_each_folder_is_of_a_room() -> None:
    """Beside them are those of no room; what is in `transactions` itself is tested through its rooms."""
    rooms = {room.name for room in ROOMS if room not in APPLICATION and any(_modules(room))}
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert folders == rooms | {"operating", "contract", "faults", "machines", "compose", "units", "browser"}


def _modules(room: Path) -> Iterator[Path]:
    return (path for path in room.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_documents_show_can_be_pasted(document: Path) -> None:
    """`manage.py` alone is on nobody's PATH."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE)
    assert [line for block in blocks for line in block.splitlines() if line.startswith("manage.py ")] == []
