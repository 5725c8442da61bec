"""Single POSTs with the headers of real senders, beside the same without: one Daphne process."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks import single
from benchmarks.load import Load
from benchmarks.report import Row, Section, number
from benchmarks.serving import OURS, Server, serve
from benchmarks.stage import Stage, say, settle_up

SENDERS = Path(__file__).resolve().parent.parent / "tests" / "intake" / "senders"
CONNECTIONS = 50
# Of the rate without any of them.
WANTED = 0.8
# What the client here cannot do: it reads one answer to a request, and keeps its connections.
_LEFT_OUT = re.compile("expect:|connection:.*close", re.IGNORECASE)
BEHIND_A_PROXY = {"SECURE_PROXY_SSL_HEADER": "X-Forwarded-Proto,https", "TRUSTED_PROXIES": "1"}


def run(stage: Stage) -> Section:
    """Each sender in turn with the bare one beside it; the best of each counts.

    Only who is under WANTED has another turn: it may have been the machine.
    """
    section = Section("Headers of real senders")
    short = replace(stage, scale=replace(stage.scale, window_s=stage.scale.window_s / 4, warm_up_s=0.2))
    senders = {file.stem: lines_of(file) for file in sorted(SENDERS.glob("*.txt"))}
    pairs: dict[str, list[tuple[Load, Load]]] = {sender: [] for sender in senders}
    with serve(Server("daphne", OURS, BEHIND_A_PROXY)) as address:
        for turn in range(stage.scale.rounds):
            for sender, lines in senders.items():
                if pairs[sender] and _best(pairs[sender])[0] >= WANTED:
                    continue
                bare = single.take_turn(short, single.OURS_DAPHNE, address, CONNECTIONS)
                with_them = single.take_turn(short, single.OURS_DAPHNE, address, CONNECTIONS, lines)
                pairs[sender].append((bare, with_them))
                say(f"headers, {turn + 1}: {sender}: {_share(bare, with_them):.2f} of the bare one")
    section.table(
        ("sender", "headers", "/s", "bare /s", "of the bare one", "p50 ms", "not 200"), _rows(senders, pairs)
    )
    worst = min(pairs, key=lambda sender: _best(pairs[sender])[0])
    share = _best(pairs[worst])[0]
    section.target(
        "single POST with any sender's headers, of the bare one",
        f"≥ {WANTED:g} ×",
        f"{share:.2f} × ({worst})",
        share >= WANTED,
    )
    section.note(settle_up())
    return section


def lines_of(file: Path) -> tuple[str, ...]:
    """A sender's header lines, as they are sent here."""
    return tuple(line for line in file.read_text().splitlines() if not _LEFT_OUT.match(line))


def _rows(senders: dict[str, tuple[str, ...]], pairs: dict[str, list[tuple[Load, Load]]]) -> Iterable[Row]:
    for sender, lines in senders.items():
        share, bare, with_them = _best(pairs[sender])
        bad = sum(load.bad for pair in pairs[sender] for load in pair)
        yield (
            sender,
            len(lines),
            with_them.per_second,
            bare.per_second,
            number(share),
            with_them.percentile_ms(50),
            bad,
        )


def _best(pairs: list[tuple[Load, Load]]) -> tuple[float, Load, Load]:
    """The best of both, and what share that is: a pair whose bare one was disturbed flatters nobody."""
    bare, with_them = (single.best(loads) for loads in zip(*pairs, strict=True))
    return _share(bare, with_them), bare, with_them


def _share(bare: Load, with_them: Load) -> float:
    return with_them.per_second / bare.per_second if bare.good else 0.0
