"""A throw-away PostgreSQL: its own folder, its own socket, gone afterwards. Nothing of the machine's own server is touched.

It listens on a Unix socket only, so there is no port to race for. Started as root, the server runs as ``postgres``, because
PostgreSQL refuses root. The default settings are quick and forget on a power cut; ``durable=True`` leaves them as installed.
"""

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
import pytest
from psycopg import sql

START_S_MAX = 20
STOP_S_MAX = 10
_SUPERUSER = "postgres"
_QUICK: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off"}
_ALWAYS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "log_min_messages": "warning",
}


@dataclass(frozen=True)
class Cluster:
    """A running server."""

    folder: Path
    pid: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, database: str) -> str:
        """SQLAlchemy URL of one of its databases."""
        return f"postgresql://{_SUPERUSER}@/{database}?host={self.folder}"

    def make_database(self, template: str = "template1") -> str:
        """Create a fresh database, a copy of ``template``, and return its name. Nobody may be connected to the template."""
        name = f"vk_{next(self._numbers)}"
        self._administer(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(host=str(self.folder), user=_SUPERUSER, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def postgres_cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """Start a server in a new folder; stop it and remove the folder afterwards.

    Args:
        durable: keep fsync and full page writes on, for tests that kill the server.
    """
    binaries = _binaries()
    # Not pytest's folder: that one is closed to the postgres user. Short, because a socket's path has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="vk-pg-", dir="/var/tmp"))
    try:
        owner = _owner()
        if owner is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        _initialise(binaries, folder, owner)
        with _running(binaries, folder, owner, durable=durable) as server:
            yield Cluster(folder, server.pid)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        pytest.fail("PostgreSQL is not installed: `make test` installs it, or `apt-get install postgresql`", pytrace=False)
    return Path(on_path).parent


def _owner() -> pwd.struct_passwd | None:
    return pwd.getpwnam(_SUPERUSER) if os.geteuid() == 0 else None


def _spawn(
    command: list[str | Path], folder: Path, owner: pwd.struct_passwd | None, log: IO[bytes]
) -> "subprocess.Popen[bytes]":
    if owner is None:
        return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    return subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        user=owner.pw_uid,
        group=owner.pw_gid,
        extra_groups=[],
    )


def _initialise(binaries: Path, folder: Path, owner: pwd.struct_passwd | None) -> None:
    command: list[str | Path] = [binaries / "initdb", "--pgdata", folder / "db", "--username", _SUPERUSER, "--auth=trust"]
    command += ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C.UTF-8"]
    with (folder / "initdb.log").open("wb") as log:
        if _spawn(command, folder, owner, log).wait(timeout=60) != 0:
            pytest.fail(f"initdb failed: {(folder / 'initdb.log').read_text()}", pytrace=False)


@contextmanager
def _running(
    binaries: Path, folder: Path, owner: pwd.struct_passwd | None, *, durable: bool
) -> Iterator["subprocess.Popen[bytes]"]:
    settings = {**_ALWAYS, **({} if durable else _QUICK), "unix_socket_directories": str(folder)}
    command: list[str | Path] = [binaries / "postgres", "-D", folder / "db"]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "server.log").open("wb") as log:
        server = _spawn(command, folder, owner, log)
        try:
            _wait_until_ready(server, folder)
            yield server
        finally:
            _stop(server)


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
    pytest.fail(f"PostgreSQL did not start: {(folder / 'server.log').read_text()}", pytrace=False)


def _stop(server: "subprocess.Popen[bytes]") -> None:
    # SIGQUIT is the immediate shutdown: the folder is thrown away, so nothing needs to be written.
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(timeout=STOP_S_MAX)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(timeout=STOP_S_MAX)
