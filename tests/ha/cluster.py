"""Three Patroni nodes and an etcd on loopback, in a folder of their own, gone without a trace afterwards.

Started as root, everything runs as ``postgres``, because PostgreSQL refuses root. Whoever runs is found by the folder in its
command line or by its parent, and killed by its number: nothing else on this machine is ever touched.
"""

import contextlib
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from tests.demo.processes import die_with_parent
from tests.ha.settings import DATABASE, HOST, SUPERUSER, NodePlan, database_url, etcd_command, patroni_settings
from tests.support.postgres import postgres_binaries, postgres_owner

NODES: Final = 3
START_S_MAX: Final = 120.0
HEALTHY_S_MAX: Final = 120.0
STOP_S_MAX: Final = 10.0
PORTS: Final = range(20_000, 30_000)
"""Below the ports that the kernel gives to clients: a node that is down keeps its port."""


class ClusterError(Exception):
    """The cluster cannot be had, or does not come back; the message is one sentence."""


@dataclass
class Node:
    """One Patroni and its PostgreSQL."""

    plan: NodePlan
    _patroni: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        return self.plan.folder / "patroni.log"

    def start(self, owner: pwd.struct_passwd | None) -> None:
        """Start Patroni, which starts PostgreSQL."""
        self._patroni = _spawn(["patroni", str(self.plan.config)], self.plan.folder, self.log, owner)

    def kill(self) -> None:
        """SIGKILL to Patroni and to every process of its PostgreSQL, as a machine that loses its power."""
        if self._patroni is not None:
            self._patroni.kill()
            self._patroni.wait()
            self._patroni = None
        postmaster = self._postmaster()
        if postmaster is None:
            return
        # Stopped first, so that it makes no more children than the list holds.
        for pid, number in [(postmaster, signal.SIGSTOP), *((pid, signal.SIGKILL) for pid in _family(postmaster))]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        _wait(lambda: not _lives(postmaster), "the killed PostgreSQL to be gone", STOP_S_MAX)

    def ask(self, path: str) -> dict[str, Any]:
        """What its Patroni says; nothing while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.plan.rest_port}/{path}", timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (OSError, HTTPException, ValueError):
            return {}

    def _postmaster(self) -> int | None:
        try:
            pid = int((self.plan.database / "postmaster.pid").read_text("ascii").split("\n", 1)[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if str(self.plan.database).encode() in command else None


@dataclass
class Patroni:
    """The cluster."""

    nodes: Sequence[Node]
    owner: pwd.struct_passwd | None
    etcd_port: int

    @property
    def url(self) -> str:
        """The cloud's ``database_url``."""
        return database_url([node.plan for node in self.nodes])

    def node(self, name: str) -> Node:
        """The node of that name."""
        (found,) = (node for node in self.nodes if node.plan.name == name)
        return found

    def primary(self) -> Node:
        """The node that holds the leader's lock.

        Raises:
            ClusterError: there is none now.
        """
        for node in self.nodes:
            if node.ask("patroni").get("role") in ("master", "primary"):
                return node
        raise ClusterError("no node is primary")

    def connect(self, node: Node, database: str = DATABASE) -> "psycopg.Connection[tuple[Any, ...]]":
        """Ask one node directly."""
        return psycopg.connect(
            host=HOST, port=node.plan.port, user=SUPERUSER, dbname=database, connect_timeout=5, autocommit=True
        )

    def wait_healthy(self) -> Node:
        """Wait until one node leads and the two others stream from it, one of them synchronously; return the leader."""
        _wait(self.is_healthy, "the cluster to be whole", HEALTHY_S_MAX)
        return self.primary()

    def is_healthy(self) -> bool:
        """Tell whether the next kill would meet a whole cluster: two nodes stream, and Patroni has named one to succeed."""
        query = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'"
        try:
            primary = self.primary()
            with self.connect(primary, "postgres") as connection:
                states = [row[0] for row in connection.execute(query)]
        except (psycopg.Error, ClusterError):
            return False
        members = primary.ask("cluster").get("members", [])
        roles = sorted(str(member["role"]) for member in members if member["state"] in ("running", "streaming"))
        return len(states) == NODES - 1 and "sync" in states and roles == ["leader", "replica", "sync_standby"]

    def make_database(self) -> None:
        """Create the cloud's database, empty."""
        with self.connect(self.primary(), "postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


@contextmanager
def patroni_cluster() -> Iterator[Patroni]:
    """Start etcd and three nodes and wait until they are whole; everything has ended and is deleted on leaving.

    Raises:
        ClusterError: something is not installed or does not start.
    """
    _require("etcd", "patroni")
    owner = postgres_owner()
    with tempfile.TemporaryDirectory(prefix="vk-ha-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        _give(root, owner)
        ports = free_ports(2 * NODES + 2)
        nodes = [_plan(root, number, ports, owner) for number in range(1, NODES + 1)]
        etcd_port, peer_port = ports[-2:]
        etcd = _spawn(etcd_command(root, port=etcd_port, peer_port=peer_port), root, root / "etcd.log", owner)
        cluster = Patroni(nodes, owner, etcd_port)
        try:
            _wait(lambda: _answers(etcd_port), "etcd to answer", START_S_MAX)
            for node in nodes:
                node.plan.config.write_text(
                    patroni_settings(node.plan, etcd_port=etcd_port, binaries=postgres_binaries()), "utf-8"
                )
                node.start(owner)
            cluster.wait_healthy()
            cluster.make_database()
            yield cluster
        finally:
            for node in nodes:
                node.kill()
            etcd.kill()
            etcd.wait()


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on and that the kernel gives to no client."""
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            found.append(port)
        if len(found) == count:
            return found
    raise ClusterError(f"there are no {count} free ports from {PORTS.start} to {PORTS.stop}")


def _plan(root: Path, number: int, ports: Sequence[int], owner: pwd.struct_passwd | None) -> Node:
    folder = root / f"node{number}"
    folder.mkdir(mode=0o700)
    _give(folder, owner)
    return Node(NodePlan(f"node{number}", folder, ports[2 * number - 2], ports[2 * number - 1]))


def _give(folder: Path, owner: pwd.struct_passwd | None) -> None:
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)


def _require(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise ClusterError(f"not installed: {', '.join(missing)}; `make ha` installs them")


def _spawn(command: Sequence[str], folder: Path, log: Path, owner: pwd.struct_passwd | None) -> "subprocess.Popen[bytes]":
    account = {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
    with log.open("ab") as out:
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            list(command),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=die_with_parent,
            **account,
        )


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def _family(postmaster: int) -> list[int]:
    """The postmaster and its children."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name) state ppid …; the name may hold anything.
            if int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[1]) == postmaster:
                children.append(int(stat.parent.name))
    return [postmaster, *children]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait(condition: Callable[[], bool], what: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise ClusterError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.1)  # between two looks
