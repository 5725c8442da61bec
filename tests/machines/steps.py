"""The steps of docs/machines.md, word for word, on one machine of this run.

Paths are this machine's, all accounts are the one that runs this, and what systemctl starts and stops is
started and stopped as the units would. What this run has none of is passed over: backtests, notifications.
"""

import re
import shutil
from pathlib import Path

from tests.machines.machine import APPLICATION, ROOT, SERVERS, Machine

PAGE = (ROOT / "docs" / "machines.md").read_text()
UNITS = {
    **{f"transactions-{name}": name for name in ("redis", "sentinel", "patroni", "worker", "beat")},
    **{"transactions-web@8000": "web", "etcd": "etcd", "haproxy": "haproxy"},
}


def blocks(heading: str) -> list[str]:
    """The commands of a section, block by block."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```bash\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def restoring() -> str:
    """The one command that stands within a list."""
    (found,) = re.findall(r"^- `(.*pg_restore.*)`;$", PAGE, re.MULTILINE)
    return str(found)


def play(machine: Machine, block: str, *, but: str = "") -> str:
    """What the commands of a block print; `but` is of lines that are left out. Fails where one fails."""
    printed, script = "", ""
    for line in block.splitlines(keepends=True):
        if but and re.search(but, line):
            continue
        if line.startswith("systemctl "):
            printed, script = printed + _run(machine, script), ""
            _control(machine, line)
        else:
            script += line
    return printed + _run(machine, script)


def start_servers(machine: Machine) -> None:
    """`systemctl start` of the stores, and of what leads to them."""
    machine.make_directories()
    machine.start(*SERVERS)


def start_application(machine: Machine) -> None:
    machine.start(*APPLICATION[machine.name])


def _control(machine: Machine, line: str) -> None:
    words = line.partition("#")[0].split()
    assert words[1] == "stop", line
    names = [unit for word in words[2:] for unit in _expanded(word)]
    machine.stop(*(UNITS[name] for name in names if UNITS.get(name) in machine.processes))


def _expanded(word: str) -> list[str]:
    """As a shell does with braces."""
    found = re.fullmatch(r"(.*)\{(.*)\}(.*)", word)
    return [f"{found[1]}{each}{found[3]}" for each in found[2].split(",")] if found else [word]


def _run(machine: Machine, script: str) -> str:
    done = machine.run(["bash", "-euo", "pipefail"], text=_at(machine, script), ETCDCTL_API="3")
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def _at(machine: Machine, script: str) -> str:
    """The script with the paths and accounts of this run."""
    programs = _programs(machine)
    script = machine.with_own_paths(script)
    script = re.sub(r"^(install .*?) -o \S+ -g \S+", r"\1", script, flags=re.MULTILINE)
    script = re.sub(r"^chown .*\n", "", script, flags=re.MULTILINE)
    return f"cd {machine.directory}\nPATH={programs}:{machine.settings['POSTGRES_BIN']}:$PATH\n{script}"


def _programs(machine: Machine) -> Path:
    """Where valkey-cli is found, which is redis-cli by another name."""
    directory = machine.directory / "programs"
    directory.mkdir(exist_ok=True)
    program = shutil.which("valkey-cli") or shutil.which("redis-cli")
    assert program is not None
    (directory / "valkey-cli").unlink(missing_ok=True)
    (directory / "valkey-cli").symlink_to(program)
    return directory
