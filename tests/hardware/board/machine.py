"""The RP2040's pins, line and watchdog for the keypad board's tests; runs on MicroPython and on CPython.

Pins are joined by pressed keys: a column reads low while a row that drives low is connected to it, directly or by way of
other keys (ghosts).
"""

pressed: set = set()  # pairs of row pin and column pin
pins: dict = {}
sent = bytearray()
watchdogs: list = []


class Pin:
    """A pin; only what the board uses."""

    IN = 0
    OPEN_DRAIN = 2
    PULL_UP = 1

    def __init__(self, number, mode=-1, pull=-1, value=1):
        self.number = number
        self.mode = mode
        self.pull = pull
        self.level = value
        pins[number] = self

    def value(self, level=None):
        """Drive the pin, or read its wire."""
        if level is not None:
            assert self.mode == Pin.OPEN_DRAIN, "only rows are driven"
            self.level = level
            return None
        joined = {self.number}
        for _ in pressed:
            for pair in pressed:
                if pair[0] in joined or pair[1] in joined:
                    joined.update(pair)
        low = any(pins[number].mode == Pin.OPEN_DRAIN and pins[number].level == 0 for number in joined)
        assert self.pull == Pin.PULL_UP, "an input that floats reads anything"
        return 0 if low else 1


class UART:
    """A line that remembers what was sent."""

    def __init__(self, number, baudrate, tx, rx):
        assert (number, baudrate, tx.number, rx.number) == (0, 115200, 0, 1)

    def write(self, content):
        """Send."""
        sent.extend(content)
        return len(content)


class WDT:
    """A watchdog that counts how often it is fed."""

    def __init__(self, timeout):
        self.timeout = timeout
        self.fed = 0
        watchdogs.append(self)

    def feed(self):
        """Put the restart off."""
        self.fed += 1
