"""What etcd and Patroni are told: pure texts, so that they can be looked at without starting anything.

These are the settings that the runbook recommends ("Database fail-over"); the figures that ``make ha`` prints were taken with
them and nothing else.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HOST: Final = "127.0.0.1"
SUPERUSER: Final = "postgres"
DATABASE: Final = "voucher"

DYNAMIC: Final[Mapping[str, Any]] = {
    # The leader's lock lives this long after its owner was last heard of; Patroni's documentation allows no less.
    "ttl": 20,
    "loop_wait": 2,
    # loop_wait + 2 * retry_timeout must not exceed ttl.
    "retry_timeout": 5,
    # A primary that died is replaced, never waited for.
    "primary_start_timeout": 0,
    # A commit is acknowledged when a standby has it on disk; without a standby nothing is acknowledged.
    "synchronous_mode": True,
    "synchronous_mode_strict": True,
    "maximum_lag_on_failover": 1_048_576,
    "postgresql": {
        "use_pg_rewind": True,
        "use_slots": True,
        "parameters": {
            "synchronous_commit": "on",
            "max_connections": 100,
            "shared_buffers": "64MB",
            # A standby whose primary vanished without a word must notice it before it is asked to take over.
            "wal_receiver_timeout": "5s",
            "wal_sender_timeout": "5s",
            "wal_receiver_status_interval": "1s",
            "wal_retrieve_retry_interval": "500ms",
            "log_min_messages": "warning",
        },
    },
}
"""The cluster's own settings, kept in etcd (``patronictl edit-config``)."""


@dataclass(frozen=True, slots=True)
class NodePlan:
    """Where one node lives."""

    name: str
    folder: Path
    port: int
    rest_port: int

    @property
    def config(self) -> Path:
        return self.folder / "patroni.json"

    @property
    def database(self) -> Path:
        return self.folder / "db"


def patroni_settings(node: NodePlan, *, etcd_port: int, binaries: Path) -> str:
    """Return Patroni's configuration of one node. JSON, which is YAML too."""
    return json.dumps(
        {
            "scope": "voucher",
            "name": node.name,
            "restapi": {"listen": f"{HOST}:{node.rest_port}", "connect_address": f"{HOST}:{node.rest_port}"},
            "etcd3": {"host": f"{HOST}:{etcd_port}"},
            "bootstrap": {"dcs": DYNAMIC, "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"]},
            "postgresql": {
                "listen": f"{HOST}:{node.port}",
                "connect_address": f"{HOST}:{node.port}",
                "data_dir": str(node.database),
                "bin_dir": str(binaries),
                "pgpass": str(node.folder / "pgpass"),
                "authentication": {"superuser": {"username": SUPERUSER}, "replication": {"username": "replicator"}},
                "parameters": {"unix_socket_directories": str(node.folder)},
                "pg_hba": [f"{kind} all all {HOST}/32 trust" for kind in ("host",)]
                + ["local all all trust", f"host replication all {HOST}/32 trust"],
            },
        },
        indent=1,
    )


def etcd_command(folder: Path, *, port: int, peer_port: int) -> Sequence[str]:
    """Return the command line of an etcd of one member."""
    peer = f"http://{HOST}:{peer_port}"
    client = f"http://{HOST}:{port}"
    return [
        "etcd",
        "--name=etcd1",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=etcd1={peer}",
        "--log-level=warn",
    ]


def database_url(nodes: Sequence[NodePlan]) -> str:
    """Return the cloud's ``database_url``: every node, whichever is the primary."""
    hosts = ",".join(HOST for _ in nodes)
    ports = ",".join(str(node.port) for node in nodes)
    return f"postgresql://{SUPERUSER}@/{DATABASE}?host={hosts}&port={ports}&target_session_attrs=read-write"
