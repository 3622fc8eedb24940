"""The parent's side of libzbar: sends pictures to a child process and waits for the answer, but never long.

Rules it keeps:

* A child that crashes, hangs, floods or cannot start costs the codes of that picture, nothing else (pyzbar #83, #143, #158).
* After a failure the next child is started no sooner than :data:`PAUSE_FIRST_S`, doubling up to :data:`PAUSE_S_MAX`; an
  answered picture sets the pause back. Without libzbar the kiosk therefore works on, with zxing-cpp alone.
* Every wait has an end: :data:`START_WAIT_S` for a new child's first answer, :data:`ANSWER_WAIT_S` after that.

One thread at a time: the scanner's.
"""

import logging
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kiosk.adapters.found import Found
from kiosk.ports import Frame

START_WAIT_S = 10.0
"""A Python start and the first picture, on the slowest board and a cold card."""

ANSWER_WAIT_S = 1.0
"""Twenty times what a picture takes on a Pi; more than that is a hang."""

PAUSE_FIRST_S = 1.0
PAUSE_S_MAX = 60.0

ANSWER_BYTES_MAX = 65_536
"""A QR code holds 2953 bytes; this is room for a wall of them."""

_CHILD = (sys.executable, "-I", str(Path(__file__).with_name("zbar_child.py")))

_log = logging.getLogger(__name__)


class _ChildLostError(Exception):
    """The child gave no proper answer. Never leaves this module."""


class ZbarReader:
    """Reads codes with libzbar in a child process that is started on first use."""

    def __init__(self, *, command: Sequence[str] = _CHILD, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Remember how to start the child; nothing is started yet.

        Args:
            command: program that speaks the protocol of :mod:`kiosk.adapters.zbar_child`.
            monotonic: seconds; decides when a failed child may be started again.
        """
        self._command = tuple(command)
        self._monotonic = monotonic
        self._child: subprocess.Popen[bytes] | None = None
        self._answered = False
        self._pause_s = PAUSE_FIRST_S
        self._start_after = float("-inf")
        self._failures = 0
        self._closed = False

    @property
    def failures(self) -> int:
        """How many children were lost so far: crashes, hangs and failed starts."""
        return self._failures

    def read(self, luma: Frame) -> list[Found]:
        """Return the codes found; nothing when there is no child to ask.

        Args:
            luma: C-contiguous, (h, w), uint8, neither side zero.
        """
        if self._closed or (self._child is None and self._monotonic() < self._start_after):
            return []
        wait_s = ANSWER_WAIT_S if self._answered else START_WAIT_S
        try:
            child = self._child = self._child or self._start()
            codes = _exchange(child, luma, time.monotonic() + wait_s)
        except (_ChildLostError, OSError) as lost:
            self._lose(lost)
            return []
        self._answered = True
        self._pause_s = PAUSE_FIRST_S
        return codes

    def close(self) -> None:
        """End the child."""
        self._closed = True
        self._end_child()

    def _start(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        assert child.stdin is not None
        os.set_blocking(child.stdin.fileno(), False)
        return child

    def _lose(self, why: Exception) -> None:
        self._failures += 1
        self._end_child()
        self._start_after = self._monotonic() + self._pause_s
        _log.warning("zbar gave no answer (%s); next start in %.0f s at the earliest", why, self._pause_s)
        self._pause_s = min(self._pause_s * 2, PAUSE_S_MAX)

    def _end_child(self) -> None:
        child, self._child, self._answered = self._child, None, False
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        child.wait()


def _exchange(child: subprocess.Popen[bytes], luma: Frame, until: float) -> list[Found]:
    """Send one picture and take its answer.

    Raises:
        _ChildLostError: no proper answer before ``until`` (:func:`time.monotonic`).
        OSError: the pipe broke.
    """
    assert child.stdin is not None
    assert child.stdout is not None
    height, width = luma.shape
    _send(child.stdin.fileno(), struct.pack("<II", width, height), until)
    _send(child.stdin.fileno(), luma.data.cast("B"), until)
    (length,) = struct.unpack("<I", _take(child.stdout.fileno(), 4, until))
    if length > ANSWER_BYTES_MAX:
        raise _ChildLostError(f"an answer of {length} bytes")
    return _split(_take(child.stdout.fileno(), length, until))


def _send(pipe: int, content: bytes | memoryview, until: float) -> None:
    rest = memoryview(content)
    while rest:
        _, writable, _ = select.select([], [pipe], [], max(0.0, until - time.monotonic()))
        if not writable:
            raise _ChildLostError("it takes no picture")
        rest = rest[os.write(pipe, rest) :]


def _take(pipe: int, length: int, until: float) -> bytes:
    got = bytearray()
    while len(got) < length:
        readable, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
        if not readable:
            raise _ChildLostError("it hangs")
        part = os.read(pipe, length - len(got))
        if not part:
            raise _ChildLostError("it ended")
        got += part
    return bytes(got)


def _split(answer: bytes) -> list[Found]:
    codes = []
    at = 0
    while at < len(answer):
        if len(answer) < at + 4:
            raise _ChildLostError("a torn answer")
        (length,) = struct.unpack_from("<I", answer, at)
        at += 4
        if not 1 <= length <= len(answer) - at:
            raise _ChildLostError("a torn answer")
        codes.append(Found(answer[at + 1 : at + length], is_barcode=answer[at : at + 1] == b"B"))
        at += length
    return codes
