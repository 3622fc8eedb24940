"""Writes everything that Mosquitto needs into one folder: settings, rights, certificates, revocation list.

Works with Debian 12's 2.0.11 and with 2.1. The one listener takes MQTT over mutual TLS and nothing else: who has no
certificate of ours gets no session, and the certificate's CN *is* the user name and the client id, so the rights below, which
are written with ``%u``, hold every kiosk to its own branch.

The broker proves nothing and keeps nothing that matters. Its store may be deleted at any time: kiosks keep their requests
until they have the answer. So it may be bounded everywhere, and what overflows is dropped.

Writing again is safe: certificates are made anew, the revocation list is brought up to date, and SIGHUP makes a running
Mosquitto read both.
"""

import os
import pwd
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloud.adapters.certificates import FleetAuthority, session_name
from cloud.ports.sessions import SESSIONS_MAX
from protocol.errors import PortError
from protocol.limits import PACKET_BYTES_MAX

INFLIGHT_MAX: Final = 1_000
"""Per client and direction; the ingest worker's ``receive_maximum``."""

QUEUED_MAX: Final = 20_000
"""Messages per client that is slow or away. At the default of 1000 a stalled worker lost four of five (measured)."""

QUEUED_BYTES_MAX: Final = 64 * 1024 * 1024
SESSION_DAYS: Final = 14

_KIOSK_ACL: Final = """\
# Every kiosk: its own branch only. %u is the CN of its certificate.
pattern write vk/v1/+/+/%u/req/+
pattern write vk/v1/+/+/%u/state/conn
pattern read vk/v1/+/+/%u/rep/+
"""
_WORKER_ACL: Final = """
# Whoever serves a session of the ingest workers: hears requests and presence, speaks answers.
user {name}
topic read vk/v1/+/+/+/req/+
topic read vk/v1/+/+/+/state/conn
topic write vk/v1/+/+/+/rep/+
"""

_SETTINGS: Final = """\
# Written by `cloud broker-files`; changes made by hand are lost at the next writing.
listener {port} {host}
allow_anonymous false
acl_file {folder}/acl

# Mutual TLS, our own authority, and the name in the certificate is the name at the broker.
cafile {folder}/ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
crlfile {folder}/revoked.crl
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true

# 88 ms or half a millisecond per round trip.
set_tcp_nodelay true

# Bounds. What is over them is refused or dropped; the kiosk asks again.
max_packet_size {packet_bytes_max}
max_inflight_messages {inflight_max}
max_queued_messages {queued_max}
max_queued_bytes {queued_bytes_max}
max_keepalive 120
persistent_client_expiration {session_days}d

# Sessions survive an orderly restart; nothing depends on it.
persistence true
persistence_location {folder}/
persistence_file mosquitto.db
autosave_interval 60

# Started as root, Mosquitto becomes this user, who owns this folder; started by that user, it stays it.
user {user}
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages true
"""


@dataclass(frozen=True, slots=True)
class BrokerPlace:
    """Where the broker listens and under which names it is reached."""

    host: str
    port: int
    names: Sequence[str]
    """Names and addresses in its certificate."""


def write_broker_files(folder: Path, place: BrokerPlace, authority: FleetAuthority, *, revoked: Sequence[str]) -> Path:
    """Write or renew the folder.

    Args:
        revoked: serial numbers of certificates that are refused, hexadecimal.

    Returns:
        The path of ``mosquitto.conf``, for ``mosquitto -c``.

    Raises:
        PortError: the folder cannot be written, or its path cannot stand in a Mosquitto setting.
    """
    folder = folder.resolve()
    if any(character.isspace() for character in str(folder)):
        raise PortError(f"Mosquitto takes no blanks in paths: {str(folder)!r}", retry=False)
    server = authority.server_certificate(place.names)
    files = {
        "ca.crt": authority.certificate_pem,
        "server.crt": server.certificate_pem,
        "server.key": server.key_pem,
        "revoked.crl": authority.revocation_list(revoked),
        "acl": _KIOSK_ACL + "".join(_WORKER_ACL.format(name=session_name(number)) for number in range(SESSIONS_MAX)),
        "mosquitto.conf": _settings(folder, place),
    }
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        for name, content in files.items():
            _replace(folder / name, content)
    except OSError as problem:
        raise PortError(f"the broker's folder {folder} cannot be written: {problem.strerror}", retry=False) from problem
    return folder / "mosquitto.conf"


def _settings(folder: Path, place: BrokerPlace) -> str:
    return _SETTINGS.format(
        folder=folder,
        host=place.host,
        port=place.port,
        packet_bytes_max=PACKET_BYTES_MAX,
        inflight_max=INFLIGHT_MAX,
        queued_max=QUEUED_MAX,
        queued_bytes_max=QUEUED_BYTES_MAX,
        session_days=SESSION_DAYS,
        user=pwd.getpwuid(os.geteuid()).pw_name,
    )


def _replace(path: Path, content: str) -> None:
    # mkstemp makes the file closed to others; the rename leaves a running broker with the old or the new one, never a half.
    descriptor, fresh = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(content)
    Path(fresh).rename(path)
