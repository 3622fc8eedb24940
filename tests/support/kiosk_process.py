"""The kiosk as it is shipped: its own process, enrolled over HTTP, on a real broker, with the fake cloud behind it.

A customer's hands are HTTP calls to its page and picture files before its camera.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from cloud.adapters.certificates import FleetAuthority, make_ca
from kiosk.adapters.keypad_screen import DOUBLE_STRIKE_S
from kiosk.domain.view import Screen, View
from protocol.enrolment import ENROLMENT_PATH, Enrolment, ItemCategory, decode_enrolment_request
from protocol.keys import agree
from tests.fakes.kiosk_cloud import FakeCloud, FakeVoucher
from tests.support.broker import Broker, free_port, running_broker
from tests.support.codes import qr_code
from tests.support.kiosk import ADDRESS
from tests.support.kiosk_client import _decode, _encode, wait_until
from tests.support.kiosk_cloud_end import CloudEnd
from tests.support.kiosk_line import RealClock

CLAIM_CODE = "ABCD-EFGH-IJKL-MNOP"
RHYTHM_S = DOUBLE_STRIKE_S + 0.02
ROOT = Path(__file__).parents[2]


class Office:
    """Enrols kiosks over HTTP: one claim code, one device."""

    def __init__(self, broker: Broker, authority: FleetAuthority, cloud: FakeCloud) -> None:
        self.broker = broker
        self.authority = authority
        self.cloud = cloud
        self.seal_key = X25519PrivateKey.generate()
        self.answer_status = 201
        office = self

        class Desk(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = office.enrol(self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def enrol(self, path: str, body: bytes) -> tuple[int, bytes]:
        request = decode_enrolment_request(body)
        if path != ENROLMENT_PATH or request.claim_code != CLAIM_CODE:
            return 403, b'{"title": "The claim code cannot be used", "detail": "ask for a new one"}'
        self.cloud.device_id = ADDRESS.device_id
        self.cloud.keys = agree(self.seal_key.private_bytes_raw(), _decode(request.seal_public), device_id=ADDRESS.device_id)
        answer = Enrolment(
            device_id=ADDRESS.device_id,
            site_id=ADDRESS.site_id,
            site_name="Test Station",
            certificate_pem=self.authority.device_certificate(request.csr_pem, ADDRESS.device_id).pem,
            ca_pem=self.authority.certificate_pem,
            seal_public=_encode(self.seal_key.public_key().public_bytes_raw()),
            broker_host="127.0.0.1",
            broker_port=self.broker.port,
            voucher_keys=[],
            item_categories=[ItemCategory(code="food", names={"en": "Food"})],
        )
        return self.answer_status, msgspec.json.encode(answer)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class KioskProcess:
    """One kiosk, its folders and its process."""

    def __init__(self, folder: Path, office: Office) -> None:
        self.folder = folder
        self.office = office
        self.port = free_port()
        self.camera = folder / "camera"
        self.camera.mkdir(parents=True)
        self.config = folder / "kiosk.toml"
        self.write_config()
        self._process: subprocess.Popen[bytes] | None = None
        self._pressed_at = 0.0

    def write_config(self, **changes: str) -> None:
        """Write the file; a change replaces or adds a whole section or line."""
        lines = {
            "state_dir": f'state_dir = "{self.folder}/state"',
            "enrol_url": f'enrol_url = "{self.office.url}"',
            "camera": f'[camera]\nkind = "folder"\npath = "{self.camera}"\nframes_per_s = 30',
            "keypad": '[keypad]\nkind = "screen"',
            "screen": f"[screen]\nport = {self.port}",
            "timing": "[timing]\nconfirm_guard_s = 0",
        }
        self.config.write_text("\n".join({**lines, **changes}.values()), "utf-8")

    def command(self, name: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self._line(name),
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
            timeout=60,
            env={**os.environ, **environment},
        )

    def start(self, *, wait: bool = True, **environment: str) -> None:
        """Start it, and wait until it is at its first screen and online."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._line("run"), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, **environment}
            )
        if wait:
            wait_until(lambda: self._is_up() or self.has_ended, what="the kiosk to be up")
            assert not self.has_ended, self.log.read_text()

    @property
    def log(self) -> Path:
        return self.folder / "kiosk.log"

    @property
    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def ended_with(self) -> int:
        """Wait for its end."""
        assert self._process is not None
        return self._process.wait(20)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def close(self) -> None:
        if not self.has_ended:
            assert self._process is not None
            self._process.kill()
            self._process.wait(20)

    # A customer --------------------------------------------------------------------------------------------------------

    def view(self) -> View:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/view", timeout=5) as answer:
            return msgspec.json.decode(answer.read(), type=View)

    def wait_for(self, *screens: Screen) -> View:
        wait_until(lambda: self.view().screen in screens, what=f"one of {screens}; it shows {self.view()}")
        return self.view()

    def press(self, key: str) -> None:
        """Press one key, in the rhythm of a quick person: faster strokes of one key count as a trembling finger."""
        wait_until(lambda: time.monotonic() - self._pressed_at > RHYTHM_S, what="the finger")
        self._post("/keys", {"key": key})
        self._pressed_at = time.monotonic()

    def tap(self, key: str) -> None:
        """Press a key of the simulated matrix; taps queue up by themselves."""
        self._post("/bench/keys", {"key": key})

    def type(self, digits: str) -> None:
        """Type and see each key taken."""
        for length, digit in enumerate(digits, start=1):
            self.press(digit)
            wait_until(lambda length=length: len(self.view().entry) >= length, what="a key to be taken")  # type: ignore[misc]

    def hold_up(self, voucher_no: str) -> None:
        """Hold a voucher before the camera."""
        new = self.camera / "new.part"
        qr_code(voucher_no).save(new, format="PNG")
        new.replace(self.camera / "voucher.png")

    def put_away(self) -> None:
        (self.camera / "voucher.png").unlink(missing_ok=True)

    def _is_up(self) -> bool:
        try:
            return self.view().online
        except OSError:
            return False

    def _post(self, path: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=5):
            pass

    def _line(self, command: str) -> list[str]:
        return [sys.executable, "-m", "kiosk", "--config", str(self.config), command]


@contextmanager
def kiosk_world(folder: Path) -> Iterator[tuple[KioskProcess, FakeCloud, Broker]]:
    """Broker, office, cloud and an enrolled kiosk that is not started yet."""
    authority = FleetAuthority(*make_ca(datetime.now(UTC)), clock=RealClock())
    cloud = FakeCloud()
    with running_broker(folder / "broker", authority) as broker:
        office = Office(broker, authority, cloud)
        kiosk = KioskProcess(folder / "kiosk", office)
        try:
            enrolled = kiosk.command("enrol", VK_CLAIM_CODE=CLAIM_CODE)
            assert enrolled.returncode == 0, enrolled.stderr
            with CloudEnd(broker.port, authority, judge=cloud.judge):
                yield kiosk, cloud, broker
        finally:
            kiosk.close()
            office.close()


def issue(cloud: FakeCloud, voucher_no: str, digits: str) -> str:
    """Add a voucher."""
    cloud.vouchers[voucher_no] = FakeVoucher(digits)
    return voucher_no
