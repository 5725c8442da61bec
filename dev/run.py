"""`make run`: private servers, the application's processes, and an orderly end. See the README."""

import signal

if __name__ == "__main__":
    # Until it serves, Ctrl-C ends it without a word, also while what follows is loaded: nothing was started.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import asyncio
import contextlib
import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

from dev.directory import DataDirectory, DirectoryError, keep_secret
from dev.flush_age import Silence, flush_age_s
from dev.held import Gate
from dev.servers import PrivatePostgres, PrivateRedis, PrivateServer, ServerError, launch, redis_answers
from dev.supervisor import Program, ProgramError, kill, run_once, say, start, stop, wait_ready

Result = TypeVar("Result")
ROOT = Path(__file__).resolve().parent.parent
_HOST = "127.0.0.1"
_BACKLOG = 1024
# PostgreSQL replays its log after a crash; Redis reads its whole file.
_SERVER_READY_SECONDS = 300.0
_READY_SECONDS = 60.0
# How long nobody may have flushed before the worker is started again, at least this and at least
# so many intervals; and how often that is looked at.
_SILENT_SECONDS = 30.0
_SILENT_INTERVALS = 6
_LOOK_SECONDS = 5.0
# What a private run chooses where the environment says nothing.
_CHOICES = {
    "DEBUG": "true",
    "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
    "ALLOW_ANONYMOUS_API": "true",
    "RATE_LIMIT_RECORDS_PER_SECOND": "0",
    "ALLOW_DELETE_ALL": "true",
    # One person tries the rules out.
    "FOUR_EYES": "false",
    # Whoever listens on this machine may be told.
    "WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8,::1/128",
    "DJANGO_SETTINGS_MODULE": "transaction_monitoring.settings",
}


class StartError(Exception):
    """The run cannot start; the message is one line."""


# OSError: a full disk, a directory where a file should be, no process left.
TOLD = (StartError, DirectoryError, ServerError, ProgramError, OSError)


class Run:
    """One run in a data directory, answering on a listening socket."""

    def __init__(
        self, data: DataDirectory, listener: socket.socket, web_processes: int, flush_interval_s: int
    ) -> None:
        self.data = data
        self.listener = listener
        self.web_processes = web_processes
        self.flush_interval_s = flush_interval_s
        self.port: int = listener.getsockname()[1]
        self.site_url = f"http://{_HOST}:{self.port}"
        self.chosen = dict(_CHOICES)
        self.chosen["SECRET_KEY"] = os.environ.get("SECRET_KEY") or keep_secret(data.path / "secret-key", 48)
        self.chosen["WEBHOOK_SECRET_KEYS"] = keep_secret(data.path / "webhook-key", 48)
        # The host of the log-in: on another name of this machine there would be no session.
        self.chosen["SITE_URL"] = self.site_url
        # The currency: in a second terminal, whole numbers would be read in another unit without it.
        own = (*_CHOICES, "WEBHOOK_SECRET_KEYS", "SITE_URL", "CURRENCY")
        self.chosen |= {name: os.environ[name] for name in own if name in os.environ}
        self.chosen |= {"DATA_DIR": str(data.path), "PORT": str(self.port)}
        # In the order in which they are stopped.
        self.stages: list[list[Program]] = []
        # Nobody waits for these; until all else is ready they would take a processor from what is waited for.
        self.unhurried: list[Program] = []
        self.watch: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Start everything, say so, and stop it all when a signal asks for it.

        Raises what is in TOLD when something does not come up; by then everything is stopped.
        """
        asked = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, asked.set)
        starting = asyncio.create_task(self._start())
        waiting = asyncio.create_task(asked.wait())
        try:
            await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await waiting
        finally:
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, *TOLD):
                await starting
            await self._stop()

    async def _start(self) -> None:
        await self._check_settings()
        private = self._choose_servers()
        # Both load while the servers start: most of a start is loading. A wrong setting fails by then.
        servers_answer, prepared = Gate(), Gate()
        preparing = asyncio.create_task(run_once(self._prepare(servers_answer)))
        password_file = self.data.path / "admin-password"
        known = password_file.exists()
        try:
            servers = await _unless_failed(preparing, self._start_servers(private))
            self._start_web(prepared)
            await _unless_failed(preparing, self._wait_for_servers(servers))
            self.data.publish(self.chosen)
            servers_answer.open()
            await preparing
        finally:
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)
        prepared.open()
        self._start_application()
        await run_once(self._python("check", "dev.worker_answers"))
        await wait_ready(self.stages[0][0], _READY_SECONDS)
        self._say_ready(password_file, known)
        for program in self.unhurried:
            start(program)

    async def _check_settings(self) -> None:
        """The URL of a server that makes no sense ends the run in the settings' own words."""
        if not any(os.environ.get(name) for name in ("DATABASE_URL", "REDIS_URL")):
            return
        check = self._python("settings", "transaction_monitoring.settings")
        process = await asyncio.create_subprocess_exec(
            *check.command, env=check.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said, _ = await process.communicate()
        if process.returncode != 0:
            raise StartError(said.decode(errors="replace").strip().rpartition("\n")[2])

    def _choose_servers(self) -> list[PrivateServer]:
        """PostgreSQL and Redis: the environment's, or else private ones, which are returned."""
        log = self.data.path / "log"
        postgres = PrivatePostgres(self.data.path / "postgres", log / "postgres.log")
        redis_server = PrivateRedis(self.data.path / "redis", log / "redis.log")
        private: list[PrivateServer] = []
        for variable, server in (("DATABASE_URL", postgres), ("REDIS_URL", redis_server)):
            if url := os.environ.get(variable):
                self.chosen[variable] = url
            else:
                # Before anything is started.
                server.check()
                self.chosen[variable] = server.url
                private.append(server)
        return private

    async def _start_servers(self, private: list[PrivateServer]) -> list[Program]:
        """Side by side, once they are made: seconds the first time, amid which a signal is heard."""
        for server in private:
            await asyncio.to_thread(server.prepare)
        started = [self._private(server) for server in private]
        # Redis is stopped before PostgreSQL.
        self.stages = [[program] for program in reversed(started)]
        for program in started:
            start(program)
        return started

    async def _wait_for_servers(self, started: list[Program]) -> None:
        for program in started:
            await wait_ready(program, _SERVER_READY_SECONDS)
        if not await asyncio.to_thread(redis_answers, self.chosen["REDIS_URL"]):
            raise StartError("no Redis answers at REDIS_URL")

    def _prepare(self, servers_answer: Gate) -> Program:
        command = [sys.executable, "-m", "dev.prepare", str(servers_answer.descriptor)]
        return self._program("prepare", command, pass_fds=(servers_answer.descriptor,))

    def _start_web(self, prepared: Gate) -> None:
        application = "transaction_monitoring.asgi"
        # As in production, WhiteNoise looks for static files once, as the application is loaded: they must be
        # collected by then.
        loaded = ["daphne.server", *([application] if self._debugs else [])]
        held = ["-m", "dev.held", str(prepared.descriptor), *loaded, "--"]
        daphne = ["daphne", "-v", "0", "--fd", str(self.listener.fileno()), f"{application}:application"]
        web = [
            self._program(
                f"web-{number}" if self.web_processes > 1 else "web",
                [sys.executable, *held, *daphne],
                answers=self._web_answers,
                pass_fds=(self.listener.fileno(), prepared.descriptor),
            )
            for number in range(1, self.web_processes + 1)
        ]
        self.stages = [web, *self.stages]
        for program in web:
            start(program)

    @property
    def _debugs(self) -> bool:
        return self.chosen["DEBUG"].strip().lower() in ("true", "on", "yes", "1")

    def _start_application(self) -> None:
        """The workers and Beat; the web is there by then."""
        celery = [sys.executable, "-m", "celery", "-q", "-A", "transaction_monitoring"]
        # No gossip between workers: they have nothing to say to each other.
        alone = ["--without-gossip", "--without-mingle"]
        worker = self._program(
            "worker",
            [*celery, "worker", "-l", "info", *alone],
            stop_seconds=60.0,  # It ends its flush first.
        )
        beat = self._program("beat", [*celery, "beat", "-l", "warning", "--pidfile="])
        # One process each, without a child: a backtest ends between two of its slices, or is killed, and then
        # another takes it up; so it is with a message.
        self.unhurried = [
            self._program(
                queue,
                [
                    *celery,
                    "worker",
                    "-Q",
                    queue,
                    "-n",
                    f"{queue}@",
                    "--pool",
                    "solo",
                    "-l",
                    "warning",
                    *alone,
                ],
            )
            for queue in ("backtests", "notifications")
        ]
        # Its first tick comes a moment later; until then what is posted waits.
        self.unhurried.insert(0, beat)
        web, *servers = self.stages
        self.stages = [web, self.unhurried, [worker], *servers]
        start(worker)
        self.watch = asyncio.create_task(self._watch(worker))

    async def _watch(self, worker: Program) -> None:
        """Starts the worker again when it lives and yet nobody flushes, though both stores answer."""
        limit = max(_SILENT_SECONDS, _SILENT_INTERVALS * self.flush_interval_s)
        silence = Silence()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            age_s = await asyncio.to_thread(flush_age_s, self.chosen["DATABASE_URL"])
            answers = await asyncio.to_thread(redis_answers, self.chosen["REDIS_URL"])
            silent_s = min(silence.seconds(age_s, answers, time.monotonic()), worker.age_s)
            if silent_s >= limit and worker.running:
                say(f"[run] nobody has flushed for {silent_s:.0f} s: the worker is killed")
                kill(worker)

    async def _stop(self) -> None:
        say("[run] stopping")
        self.data.withdraw()
        if self.watch is not None:
            self.watch.cancel()
        for stage in self.stages:
            await asyncio.gather(*(stop(program) for program in stage))
        say("[run] stopped")

    def _say_ready(self, password_file: Path, known: bool) -> None:
        url = f"{self.site_url}/"
        if known:
            how = f"the password in {password_file}"
        elif password_file.exists() and not sys.stdout.isatty():
            # What is no terminal may be kept and read by others: a log, a pipeline of CI.
            how = f"the password in {password_file}"
        elif password_file.exists():
            how = f"the password {password_file.read_text().strip()} (kept in {password_file})"
        elif os.environ.get("ADMIN_PASSWORD"):
            how = "the ADMIN_PASSWORD of the first start"
        else:
            how = "the password you gave it"
        say(f"log in at {url}admin/ as admin with {how}")
        say(f"ready: {url}")

    def _private(self, server: PrivateServer) -> Program:
        return Program(
            server.name,
            server.command(),
            dict(os.environ),
            answers=server.answers,
            log=server.log,
            stop_signal=server.stop_signal,
            stop_seconds=server.stop_seconds,
        )

    def _python(self, name: str, module: str) -> Program:
        return self._program(name, [sys.executable, "-m", module])

    def _program(
        self,
        name: str,
        command: list[str],
        answers: Callable[[], bool] | None = None,
        pass_fds: tuple[int, ...] = (),
        stop_seconds: float = 15.0,
    ) -> Program:
        return Program(
            name,
            launch(command, ROOT, signal.SIGKILL),
            {**os.environ, **self.chosen, "PYTHONUNBUFFERED": "1"},
            answers=answers,
            pass_fds=pass_fds,
            stop_seconds=stop_seconds,
        )

    def _web_answers(self) -> bool:
        """Any answer will do that is not a failure: a redirect to TLS, say, is one by settings."""
        connection = http.client.HTTPConnection(_HOST, self.port, timeout=2)
        try:
            connection.request("GET", "/livez", headers={"Host": "localhost"})
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


async def _unless_failed(other: "asyncio.Task[None]", work: Coroutine[None, None, Result]) -> Result:
    """What `work` returns; where `other` fails before that, its error."""
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait({working, other}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await other
        return await working
    finally:
        working.cancel()


def _listen(port: int) -> socket.socket:
    """One socket for every web process, held here: a restart of one never frees the port."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        raise StartError(f"port {port} cannot be used ({error.strerror}): set PORT to another one") from None
    return listener


def _number(name: str, default: int, least: int, most: int) -> int:
    text = os.environ.get(name) or str(default)
    if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise StartError(f"{name} must be a whole number from {least} to {most}, not {text!r}")
    return int(text)


def main() -> int:
    """Run until a signal; the status is 0 after an orderly stop, 1 after an error told in one line."""
    try:
        port = _number("PORT", 8000, 0, 65535)
        web_processes = _number("WEB_CONCURRENCY", 1, 1, 64)
        flush_interval_s = _number("FLUSH_INTERVAL_SECONDS", 5, 1, 86_400)
        data = DataDirectory(Path(os.environ.get("DATA_DIR") or ROOT / ".local").absolute())
        if data.withdraw():
            say("[run] the previous run was killed; its data is taken over")
        if data.in_memory:
            say(f"[run] warning: {data.path} is in memory (tmpfs) and lost at power-off")
        asyncio.run(Run(data, _listen(port), web_processes, flush_interval_s).serve())
    except TOLD as error:
        print(f"make run: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
