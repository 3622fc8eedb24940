"""Runs the whole board program step by step and checks what it sends. For MicroPython and CPython; prints "ok" at the end."""

import machine
import main
from frames import KIND_BEAT, KIND_HELLO, KIND_KEY, FrameReader


class Time:
    """MicroPython's ticks, set by hand; they wrap at 2**30."""

    now = (1 << 30) - 2000  # wraps two seconds after the start

    def ticks_ms(self):
        return self.now

    def ticks_diff(self, later, earlier):
        return ((later - earlier + (1 << 29)) & ((1 << 30) - 1)) - (1 << 29)

    def ticks_add(self, ticks, by):
        return (ticks + by) & ((1 << 30) - 1)

    def sleep_us(self, _):
        """Takes no time here."""


clock = Time()
main.time = clock
board = main.KeypadBoard()
reader = FrameReader()


def steps(count, every_ms=main.SCAN_MS):
    """Let the board work step by step."""
    for _ in range(count):
        clock.now = clock.ticks_add(clock.now, every_ms)
        board.step()


sequence = [0]


def receive():
    """Return the messages sent since last asked, as pairs of kind and first payload byte."""
    messages = reader.feed(bytes(machine.sent))
    machine.sent[:] = b""
    for number, _, _ in messages:
        assert number == sequence[0], "no gap in the sequence"
        sequence[0] = (number + 1) & 0xFF
    return [(kind, payload[0]) for _, kind, payload in messages]


def keys():
    """Return the numbers of the keys sent since last asked."""
    return [number for kind, number in receive() if kind == KIND_KEY]


assert receive() == [(KIND_HELLO, 1)]
assert [dog.timeout for dog in machine.watchdogs] == [main.WATCHDOG_MS]

# Every key, held for 100 ms, gives its number once. This takes longer than the ticks take to wrap.
for row_no, row in enumerate(main.ROW_PINS):
    for column_no, column in enumerate(main.COLUMN_PINS):
        machine.pressed.add((row, column))
        steps(20)
        machine.pressed.clear()
        steps(20)
        assert keys() == [3 * row_no + column_no]

# Bounce: contacts that change with every scan are no press; then one press comes.
for _ in range(10):
    machine.pressed.add((2, 6))
    steps(1)
    machine.pressed.clear()
    steps(1)
machine.pressed.add((2, 6))
steps(20)
machine.pressed.clear()
steps(20)
assert keys() == [0]

# Three keys of a rectangle close the fourth: a ghost. Nothing counts until all are let go.
machine.pressed.add((2, 6))
machine.pressed.add((2, 8))
machine.pressed.add((4, 6))
steps(200)
assert receive() == [(KIND_BEAT, 1)]
machine.pressed.clear()
steps(200)
assert receive() == [(KIND_BEAT, 0)]

# A beat a second, the sequence counts past 255, the watchdog is fed at every step.
fed = machine.watchdogs[0].fed
steps(3000, every_ms=100)
assert receive() == [(KIND_BEAT, 0)] * 300
assert machine.watchdogs[0].fed == fed + 3000
assert reader.dropped == 0
print("ok")
