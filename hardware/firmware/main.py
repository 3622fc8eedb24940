"""Keypad board: a Raspberry Pi Pico (RP2040) that scans a 4x3 key matrix and reports presses on a serial line.

Wiring is in hardware/README.md and hardware/pins.toml. Copy main.py, matrix.py and frames.py onto the board; MicroPython
runs main.py at power-up.

* Rows are open drain, so held keys never short two outputs. Columns have pull-ups; a closed contact reads low.
* A watchdog restarts the board when the loop stops for WATCHDOG_MS. It watches this board only, never the kiosk.
* A board that starts says HELLO; one that lives says BEAT once a second.
"""

import time

from frames import KIND_BEAT, KIND_HELLO, KIND_KEY, PROTOCOL_VERSION, encode_frame
from machine import UART, WDT, Pin
from matrix import COLUMNS, KeyMatrix

ROW_PINS = (2, 3, 4, 5)
COLUMN_PINS = (6, 7, 8)
TX_PIN = 0
RX_PIN = 1

BAUD = 115200
SCAN_MS = 5
BEAT_MS = 1000
WATCHDOG_MS = 1000
SETTLE_US = 10
"""A pull-up needs this long to raise half a metre of cable after a row is let go."""


class KeypadBoard:
    """Pins, line and watchdog of one board."""

    def __init__(self) -> None:
        """Take the pins and say hello."""
        self._rows = [Pin(pin, Pin.OPEN_DRAIN, value=1) for pin in ROW_PINS]
        self._columns = [Pin(pin, Pin.IN, Pin.PULL_UP) for pin in COLUMN_PINS]
        self._uart = UART(0, baudrate=BAUD, tx=Pin(TX_PIN), rx=Pin(RX_PIN))
        self._matrix = KeyMatrix()
        self._sequence = 0
        self._start_ms = self._beat_ms = time.ticks_ms()
        self._send(KIND_HELLO, bytes([PROTOCOL_VERSION]))
        # Last, because nothing before it may take longer than it allows, and it can never be stopped again.
        self._watchdog = WDT(timeout=WATCHDOG_MS)

    def step(self) -> None:
        """Scan once, report what was pressed, and feed the watchdog."""
        now_ms = time.ticks_ms()
        for key in self._matrix.feed(self._scan(), time.ticks_diff(now_ms, self._start_ms)):
            self._send(KIND_KEY, bytes([key]))
        if time.ticks_diff(now_ms, self._beat_ms) >= BEAT_MS:
            self._beat_ms = now_ms
            self._send(KIND_BEAT, bytes([1 if self._matrix.locked else 0]))
        self._watchdog.feed()

    def _scan(self) -> int:
        closed = 0
        for row_no, row in enumerate(self._rows):
            row.value(0)
            time.sleep_us(SETTLE_US)
            for column_no, column in enumerate(self._columns):
                if column.value() == 0:
                    closed |= 1 << (COLUMNS * row_no + column_no)
            row.value(1)
            time.sleep_us(SETTLE_US)
        return closed

    def _send(self, kind: int, payload: bytes) -> None:
        self._uart.write(encode_frame(self._sequence, kind, payload))
        self._sequence = (self._sequence + 1) & 0xFF


def run() -> None:
    """Work until the power goes."""
    board = KeypadBoard()
    next_ms = time.ticks_ms()
    while True:
        board.step()
        next_ms = time.ticks_add(next_ms, SCAN_MS)
        time.sleep_ms(max(0, time.ticks_diff(next_ms, time.ticks_ms())))


if __name__ == "__main__":
    run()
