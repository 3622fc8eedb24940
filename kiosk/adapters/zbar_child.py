"""The program that runs libzbar, alone in a process of its own, so that a crash or a hang of it costs one picture at most.

Started by :class:`kiosk.adapters.zbar_reader.ZbarReader` as a script in isolated mode; it imports nothing of the kiosk.

On standard input, again and again: width and height (two unsigned 32-bit numbers, little-endian), then width × height bytes
of luma. On standard output, once for each picture: the length of the answer (unsigned 32-bit), then every code found as its
length (unsigned 32-bit) and so many bytes: ``Q`` for QR or ``B`` for CODE128, and the content. End of input ends the program.

Rules it keeps:

* QR and CODE128 only: with all symbologies on, zbar reads an EAN-13 or a CODE39 "T" out of nothing.
* A structured-append QR code makes pyzbar raise ValueError: it holds a part of something, so it is no code for us.
* Texts with bytes outside printable ASCII are dropped: zbar guesses encodings and rewrites such contents.
* A picture that takes longer than :data:`DECODE_S_MAX` ends this process, even when nobody is left to do it.
"""

import importlib
import signal
import struct
import sys
from typing import BinaryIO

DECODE_S_MAX = 5
"""After this the alarm signal ends the process. The reader gives up sooner; this is for a reader that is gone."""


def main() -> None:
    """Answer pictures until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the kiosk; the end of input is for us
    importlib.import_module("pyzbar.pyzbar")  # loads libzbar, which may take seconds on a cold card: not on the alarm's time
    while (size := sys.stdin.buffer.read(8)) and len(size) == 8:
        width, height = struct.unpack("<II", size)
        luma = sys.stdin.buffer.read(width * height)
        if len(luma) < width * height:
            return
        signal.alarm(DECODE_S_MAX)
        codes = read_codes(luma, width, height)
        signal.alarm(0)
        write_answer(sys.stdout.buffer, codes)


def read_codes(luma: bytes, width: int, height: int) -> list[bytes]:
    """Return the QR and CODE128 codes in a picture, each as its letter and its content."""
    from pyzbar.pyzbar import ZBarSymbol, decode

    try:
        found = decode((luma, width, height), symbols=[ZBarSymbol.QRCODE, ZBarSymbol.CODE128])
    except ValueError:
        return []
    return [
        (b"B" if code.type == "CODE128" else b"Q") + bytes(code.data)
        for code in found
        if all(0x20 <= byte < 0x7F for byte in code.data)
    ]


def write_answer(out: BinaryIO, codes: list[bytes]) -> None:
    """Write one answer, whole, and push it out."""
    answer = b"".join(struct.pack("<I", len(code)) + code for code in codes)
    out.write(struct.pack("<I", len(answer)) + answer)
    out.flush()


if __name__ == "__main__":
    main()
