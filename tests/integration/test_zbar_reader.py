"""Whatever zbar's process does, the kiosk goes on."""

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from kiosk.adapters import zbar_child, zbar_reader
from kiosk.adapters.found import Found
from kiosk.adapters.zbar_reader import PAUSE_FIRST_S, PAUSE_S_MAX, ZbarReader
from tests.support import codes
from tests.support.codes import VOUCHER_NO, luma

QR = luma(codes.qr_code(VOUCHER_NO))
AS_QR = Found(VOUCHER_NO.encode(), is_barcode=False)
AS_BARCODE = Found(VOUCHER_NO.encode(), is_barcode=True)


class Watch:
    """A clock that stands still until it is set forward."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def reader_of(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ZbarReader]]:
    """Make readers whose child is a small Python program."""
    made: list[ZbarReader] = []
    monkeypatch.setattr(zbar_reader, "START_WAIT_S", 5.0)

    def make(program: str) -> ZbarReader:
        made.append(ZbarReader(command=[sys.executable, "-I", "-c", program], monotonic=watch))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


def test_reads_qr_and_code128() -> None:
    reader = ZbarReader()
    assert reader.read(QR) == [AS_QR]
    assert reader.read(luma(codes.code128(VOUCHER_NO))) == [AS_BARCODE]
    assert reader.read(np.full((720, 1280), 128, dtype=np.uint8)) == []
    assert reader.failures == 0
    reader.close()
    reader.close()
    assert reader.read(QR) == []


def test_foreign_structured_and_binary_codes_are_nothing() -> None:
    reader = ZbarReader()
    for picture in (codes.ean13("4710088430014"), codes.structured_append("0123456789" * 12), codes.qr_code("é\x80ÿ")):
        assert reader.read(luma(picture)) == []
    assert reader.failures == 0
    reader.close()


READ_HEAD = "import sys, struct; w, h = struct.unpack('<II', sys.stdin.buffer.read(8)); "
READ_ALL = READ_HEAD + "sys.stdin.buffer.read(w * h); out = sys.stdout.buffer; "


@pytest.mark.parametrize(
    "program",
    [
        "raise SystemExit(1)",
        READ_HEAD + "import os; os.abort()",
        READ_ALL + "import os; os.kill(os.getpid(), 11)",
        READ_ALL + "out.write(struct.pack('<I', 4_000_000_000)); out.flush(); sys.stdin.read()",
        READ_ALL + "out.write(struct.pack('<II', 4, 900)); out.flush(); sys.stdin.read()",
        READ_ALL + "out.write(struct.pack('<II', 4, 0)); out.flush(); sys.stdin.read()",
        READ_ALL + "out.write(struct.pack('<I', 2) + b'ab'); out.flush(); sys.stdin.read()",
        READ_ALL + "out.write(b'ab'); out.flush()",
    ],
    ids=["never starts", "aborts", "crashes", "floods", "lies about a length", "a code of nothing", "torn code", "torn answer"],
)
def test_a_broken_child_costs_one_picture(reader_of: Callable[[str], ZbarReader], program: str) -> None:
    reader = reader_of(program)
    assert reader.read(QR) == []
    assert reader.failures == 1


@pytest.mark.parametrize("program", ["import signal; signal.pause()", READ_ALL + "import signal; signal.pause()"])
def test_a_hanging_child_is_ended_in_time(
    reader_of: Callable[[str], ZbarReader], program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zbar_reader, "START_WAIT_S", 0.2)
    reader = reader_of(program)
    big = np.zeros((720, 1280), dtype=np.uint8)  # more than a pipe holds
    assert reader.read(big) == []
    assert reader.failures == 1


def test_starts_again_after_a_pause_that_doubles_up_to_a_limit(reader_of: Callable[[str], ZbarReader], watch: Watch) -> None:
    reader = reader_of("raise SystemExit(1)")
    pause = PAUSE_FIRST_S
    for failures in range(1, 10):
        reader.read(QR)
        assert reader.failures == failures
        watch.seconds += pause - 0.01
        reader.read(QR)
        assert reader.failures == failures, "it must not be started before the pause is over"
        watch.seconds += 0.01
        pause = min(pause * 2, PAUSE_S_MAX)


def test_a_missing_program_costs_codes_only() -> None:
    reader = ZbarReader(command=["/nonexistent/zbar"])
    assert reader.read(QR) == []
    assert reader.failures == 1


def test_reads_again_after_its_child_was_killed(watch: Watch) -> None:
    reader = ZbarReader(monotonic=watch)
    assert reader.read(QR) == [AS_QR]
    assert reader._child is not None
    os.kill(reader._child.pid, signal.SIGKILL)
    assert reader.read(QR) == []
    watch.seconds += PAUSE_FIRST_S
    assert reader.read(QR) == [AS_QR]
    assert reader.failures == 1
    reader.close()


def test_the_child_ends_with_its_input() -> None:
    whole = struct.pack("<II", 640, 360) + bytes(640 * 360)
    for sent in (b"", whole[:5], whole[:1000], whole):
        done = subprocess.run(
            [sys.executable, "-I", zbar_child.__file__], input=sent, capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 0
        assert done.stdout == (struct.pack("<I", 0) if sent == whole else b"")
