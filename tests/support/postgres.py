"""A PostgreSQL of our own: its own folder, its own socket. Nothing of the machine's own server is touched.

For tests it is thrown away afterwards; the demo gives it a folder and keeps it.

It listens on a Unix socket only, so there is no port to race for. Started as root, the server runs as ``postgres``, because
PostgreSQL refuses root. The default settings are quick and forget on a power cut; ``durable=True`` leaves them as installed.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from tests.support.scratch import DISK, scratch_folder

START_S_MAX = 20
STOP_S_MAX = 10
_SUPERUSER = "postgres"
_QUICK: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    # In the folder, so that it goes with it, however the server ends.
    "dynamic_shared_memory_type": "mmap",
}
_ALWAYS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "log_min_messages": "warning",
}


class PostgresError(RuntimeError):
    """The server cannot be had; the message is one sentence."""


@dataclass(frozen=True)
class Cluster:
    """A running server."""

    folder: Path
    pid: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, database: str) -> str:
        """SQLAlchemy URL of one of its databases."""
        return f"postgresql://{_SUPERUSER}@/{database}?host={self.folder}"

    def make_database(self, template: str = "template1", *, name: str | None = None) -> str:
        """Create a fresh database, a copy of ``template``, and return its name. Nobody may be connected to the template."""
        name = name or f"vk_{next(self._numbers)}"
        # Copying files is quicker than logging pages, and nothing here is replicated.
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        self._administer(create.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def has_database(self, name: str) -> bool:
        """Tell whether it exists."""
        with psycopg.connect(host=str(self.folder), user=_SUPERUSER, dbname="postgres") as connection:
            return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(host=str(self.folder), user=_SUPERUSER, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def postgres_cluster(
    *, durable: bool = False, folder: Path | None = None, fresh: bool = True, settings: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """Start a server; stop it afterwards.

    Args:
        durable: keep fsync and full page writes on, for the demo and for tests that kill the server.
        folder: where to keep it; None throws it away afterwards.
        fresh: start empty, whatever ``folder`` holds.
        settings: of the server, above the usual ones.

    Raises:
        PostgresError: PostgreSQL is not installed or does not start.
    """
    programs = postgres_binaries()
    if folder is None:
        # Not pytest's folder: that one is closed to the postgres user. Short, because a socket's path has 107 bytes at most.
        where = DISK if durable else scratch_folder()
        with tempfile.TemporaryDirectory(prefix="vk-pg-", dir=where, ignore_cleanup_errors=True) as thrown_away:
            yield from _cluster(
                programs, Path(thrown_away), settings={**_settings(durable), **(settings or {})}, graceful=False
            )
        return
    _end_leftover(folder)
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield from _cluster(programs, folder, settings={**_settings(durable), **(settings or {})}, graceful=True)


def _settings(durable: bool) -> Mapping[str, str]:
    return {**_ALWAYS, **({} if durable else _QUICK)}


def _cluster(binaries: Path, folder: Path, *, settings: Mapping[str, str], graceful: bool) -> Iterator[Cluster]:
    owner = postgres_owner()
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    if not (folder / "db" / "PG_VERSION").exists():
        _initialise(binaries, folder, owner)
    with _running(binaries, folder, owner, settings=settings, graceful=graceful) as server:
        yield Cluster(folder, server.pid)


def _end_leftover(folder: Path) -> None:
    """End a server that a killed run left on this folder."""
    lock = folder / "db" / "postmaster.pid"
    if not lock.exists():
        return
    pid = int(lock.read_text("ascii").split("\n", 1)[0])
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        if Path(f"/proc/{pid}/comm").read_text("ascii").strip() != "postgres":
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + STOP_S_MAX
        while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
            time.sleep(0.02)


def postgres_binaries() -> Path:
    """Folder of PostgreSQL's programs, the newest that is installed.

    Raises:
        PostgresError: none is.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise PostgresError("PostgreSQL is not installed: `make test` installs it, or `apt-get install postgresql`")
    return Path(on_path).parent


def postgres_owner() -> pwd.struct_passwd | None:
    """The account to run servers as; None for our own."""
    return pwd.getpwnam(_SUPERUSER) if os.geteuid() == 0 else None


def _spawn(
    command: list[str | Path], folder: Path, owner: pwd.struct_passwd | None, log: IO[bytes]
) -> "subprocess.Popen[bytes]":
    if owner is None:
        return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    return subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        user=owner.pw_uid,
        group=owner.pw_gid,
        extra_groups=[],
        start_new_session=True,
    )


def _initialise(binaries: Path, folder: Path, owner: pwd.struct_passwd | None) -> None:
    command: list[str | Path] = [binaries / "initdb", "--pgdata", folder / "db", "--username", _SUPERUSER, "--auth=trust"]
    command += ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C.UTF-8"]
    with (folder / "initdb.log").open("wb") as log:
        if _spawn(command, folder, owner, log).wait(timeout=60) != 0:
            raise PostgresError(f"initdb failed: {(folder / 'initdb.log').read_text()}")


@contextmanager
def _running(
    binaries: Path, folder: Path, owner: pwd.struct_passwd | None, *, settings: Mapping[str, str], graceful: bool
) -> Iterator["subprocess.Popen[bytes]"]:
    command: list[str | Path] = [binaries / "postgres", "-D", folder / "db"]
    for name, value in {**settings, "unix_socket_directories": str(folder)}.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "server.log").open("wb") as log:
        server = _spawn(command, folder, owner, log)
        try:
            _wait_until_ready(server, folder)
            yield server
        finally:
            _stop(server, signal.SIGINT if graceful else signal.SIGQUIT)


def _wait_until_ready(server: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        try:
            psycopg.connect(host=str(folder), user=_SUPERUSER, dbname="postgres").close()
        except psycopg.OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.02)
        else:
            return
    raise PostgresError(f"PostgreSQL did not start: {(folder / 'server.log').read_text()}")


def _stop(server: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    # SIGINT is PostgreSQL's fast shutdown; SIGQUIT the immediate one, for a folder that is thrown away anyway.
    server.send_signal(how)
    try:
        server.wait(timeout=STOP_S_MAX)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(timeout=STOP_S_MAX)
