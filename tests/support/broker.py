"""A real Mosquitto with the product's own files, for one test: started, killed, robbed of its store, started again.

Every wait is for a condition: that the port takes a connection, that the process has ended.
"""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloud.adapters.broker import BrokerPlace, write_broker_files
from cloud.adapters.certificates import FleetAuthority

WAIT_S_MAX = 20.0
HOST = "127.0.0.1"


class Broker:
    """One Mosquitto on loopback."""

    def __init__(self, folder: Path, port: int, authority: FleetAuthority) -> None:
        self.folder = folder
        self.port = port
        self._authority = authority
        self._process: subprocess.Popen[bytes] | None = None

    def write_files(self, *, revoked: Sequence[str] = ()) -> Path:
        """Write or renew settings and certificates."""
        return write_broker_files(self.folder, BrokerPlace(HOST, self.port, [HOST]), self._authority, revoked=revoked)

    def start(self) -> None:
        """Start and wait until it takes connections."""
        command = [mosquitto_path(), "-c", str(self.folder / "mosquitto.conf")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + WAIT_S_MAX
        while not takes_connections(self.port):
            if self._process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"Mosquitto did not start: {self.log.read_text()}", pytrace=False)
            time.sleep(0.01)  # between two tries to connect

    @property
    def log(self) -> Path:
        return self.folder / "mosquitto.log"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """An orderly end."""
        self._end(signal.SIGTERM)

    def delete_store(self) -> None:
        """Lose every session and every queued message."""
        for path in self.folder.glob("mosquitto.db*"):
            path.unlink()

    def reload(self) -> None:
        """Make it read certificates, revocation list and rights again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(WAIT_S_MAX)


@contextmanager
def running_broker(folder: Path, authority: FleetAuthority) -> Iterator[Broker]:
    """Start a broker on a free port in a folder of its own; it has ended on leaving."""
    broker = Broker(folder, free_port(), authority)
    broker.write_files()
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def free_port() -> int:
    """Return a loopback port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def takes_connections(port: int) -> bool:
    """Whether somebody listens on a loopback port."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def mosquitto_path() -> str:
    """Where Mosquitto is."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/sbin")
    if found is None:
        pytest.fail("Mosquitto is not installed: `make test` installs it, or `apt-get install mosquitto`", pytrace=False)
    return found
