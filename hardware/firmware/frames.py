"""Messages on a serial line that may lose, add or change bytes. Pure; MicroPython and CPython.

    0xAA 0x55 | length | sequence | kind | payload (length bytes, 0 to 32) | CRC-16, high byte first

The CRC is CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF) over length, sequence, kind and payload. The sequence counts
messages from 0 to 255 and begins again; a gap shows the receiver that messages were lost. There are no repeats: a key that
was lost on the way is a key the customer sees missing and presses again.
"""

SYNC = b"\xaa\x55"
PAYLOAD_BYTES_MAX = 32

KIND_HELLO = 1
"""The board has started. Payload: protocol version."""

KIND_KEY = 2
"""A key was pressed. Payload: its number, 3 * row + column."""

KIND_BEAT = 3
"""The board is alive, once a second. Payload: 1 while keys are ignored because of a ghost, else 0."""

PROTOCOL_VERSION = 1

_HEAD_BYTES = 5
_CRC_BYTES = 2


def crc16(content: bytes) -> int:
    """Return the CRC-16/CCITT-FALSE of the bytes."""
    crc = 0xFFFF
    for byte in content:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc


def encode_frame(sequence: int, kind: int, payload: bytes) -> bytes:
    """Return one message as bytes for the line.

    Raises:
        ValueError: the payload is too long, or sequence or kind is no byte.
    """
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise ValueError("payload too long")
    checked = bytes([len(payload), sequence, kind]) + payload
    crc = crc16(checked)
    return SYNC + checked + bytes([crc >> 8, crc & 0xFF])


class FrameReader:
    """Finds messages in what the line delivers, in pieces of any size."""

    def __init__(self) -> None:
        """Start with an empty line."""
        self._waiting = b""
        self.dropped = 0
        """Bytes that belonged to no message so far."""

    def feed(self, piece: bytes) -> list[tuple[int, int, bytes]]:
        """Take bytes from the line.

        Returns:
            The messages that are complete now: sequence, kind, payload.
        """
        self._waiting += piece
        found: list[tuple[int, int, bytes]] = []
        while True:
            self._skip_to_sync()
            if len(self._waiting) < _HEAD_BYTES:
                return found
            length = self._waiting[2]
            end = _HEAD_BYTES + length + _CRC_BYTES
            if length <= PAYLOAD_BYTES_MAX and len(self._waiting) < end:
                return found
            if length <= PAYLOAD_BYTES_MAX and self._is_intact(end):
                found.append((self._waiting[3], self._waiting[4], self._waiting[_HEAD_BYTES : end - _CRC_BYTES]))
                self._waiting = self._waiting[end:]
            else:
                # Only the first byte goes: a true message may begin inside what looked like one.
                self._drop(1)

    def _is_intact(self, end: int) -> bool:
        crc = crc16(self._waiting[len(SYNC) : end - _CRC_BYTES])
        return self._waiting[end - _CRC_BYTES : end] == bytes([crc >> 8, crc & 0xFF])

    def _skip_to_sync(self) -> None:
        start = self._waiting.find(SYNC)
        if start >= 0:
            self._drop(start)
        elif self._waiting[-1:] == SYNC[:1]:
            self._drop(len(self._waiting) - 1)
        else:
            self._drop(len(self._waiting))

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._waiting = self._waiting[count:]
