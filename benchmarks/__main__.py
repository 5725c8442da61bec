"""`python -m benchmarks [PART ...] [--quick] [--output FILE]`: everything in one run, side by side."""

import argparse
import importlib
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import report, stage

# Latency comes first, before anybody has stored millions of rows. Averages come late: they empty the table
# and fill it anew, and pages open over what they leave.
PARTS = (
    "latency",
    "single",
    "headers",
    "batch",
    "sustained",
    "dashboards",
    "alert_frames",
    "idle",
    "averages",
    "pages",
    "reads",
    "machines",
    "rules",
    "alerts",
    "notifications",
    "backlog",
    "triage",
    # After rules: what it stores are rows of one moment for every user.
    "flush",
    # Last: what it puts into the table is in no rollup.
    "backtests",
)
RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> int:
    """Runs the parts; 0 also where a target is missed, 1 where the books do not balance."""
    arguments = _arguments()
    began, where = datetime.now(UTC), report.machine()
    scale = stage.QUICK if arguments.quick else stage.FULL
    parts = [part for part in PARTS if part in arguments.parts] or list(PARTS)
    command = " ".join(["python -m benchmarks", *arguments.parts, *["--quick"] * arguments.quick])
    sections: list[report.Section] = []
    minutes: dict[str, float] = {}
    try:
        with stage.set_up(scale) as found:
            for part in parts:
                started = time.monotonic()
                stage.calm_down()
                section = importlib.import_module(f"benchmarks.{part}").run(found)
                print(f"\n{section.text()}\n", flush=True)
                sections.append(section)
                minutes[part] = (time.monotonic() - started) / 60
                summary = report.summary(command, began, where, sections, minutes, parts)
                if arguments.output:
                    # After each part: a run takes long, and may be stopped.
                    text = [summary, *(each.text() for each in sections)]
                    arguments.output.write_text("\n\n".join(text) + "\n")
    except stage.Unbalanced as error:
        print(error, file=sys.stderr)
        return 1
    print(summary)
    if arguments.output:
        print(f"Written: {arguments.output}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="see that it runs; no figures to quote")
    parser.add_argument("--output", type=Path, help="where to write the results (a full run: RESULTS.md)")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if arguments.output is None and not arguments.parts and not arguments.quick:
        arguments.output = RESULTS
    return arguments


if __name__ == "__main__":
    sys.exit(main())
