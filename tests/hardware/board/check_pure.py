"""Prints what the board's pure modules make of given input, so that CPython and MicroPython can be compared line by line."""

from frames import FrameReader, crc16, encode_frame
from matrix import KeyMatrix


class Dice:
    """The same pseudo-random numbers everywhere (a 32-bit linear congruential generator)."""

    def __init__(self, seed):
        self.state = seed

    def roll(self, sides):
        """Return 0 to sides - 1."""
        self.state = (self.state * 1664525 + 1013904223) & 0xFFFFFFFF
        return (self.state >> 8) % sides


def matrix_lines():
    """Feed matrices with contacts that come and go."""
    dice = Dice(7)
    for run in range(40):
        matrix = KeyMatrix(1 + run % 5, (0, 40, 500)[run % 3])
        closed = 0
        for scan in range(150):
            if dice.roll(3) == 0:
                closed ^= 1 << dice.roll(12)
            if dice.roll(25) == 0:
                closed = 0
            keys = matrix.feed(closed, (1 << 30) - 300 + 5 * scan)
            if keys:
                print("matrix", run, scan, keys, matrix.down, matrix.locked)


def frame_lines():
    """Send messages over a line that changes, loses and adds bytes, in pieces of any size."""
    print("crc", crc16(b"123456789"), crc16(b""))
    dice = Dice(11)
    for run in range(60):
        line = bytearray()
        for sequence in range(8):
            line += encode_frame(sequence, dice.roll(256), bytes([dice.roll(256) for _ in range(dice.roll(33))]))
            if dice.roll(2):
                line += bytes([(0xAA, 0x55, dice.roll(256))[dice.roll(3)] for _ in range(dice.roll(12))])
        for _ in range(run % 4):
            line[dice.roll(len(line))] = dice.roll(256)
        reader = FrameReader()
        at = 0
        while at < len(line):
            size = 1 + dice.roll(40)
            for message in reader.feed(bytes(line[at : at + size])):
                print("frame", run, message[0], message[1], list(message[2]))
            at += size
        print("dropped", run, reader.dropped)


matrix_lines()
frame_lines()
