"""What a decoder found in a picture."""

from typing import NamedTuple


class Found(NamedTuple):
    """One code."""

    content: bytes
    is_barcode: bool
    """CODE128. Its one check character lets about one misreading in a hundred through; a QR code corrects its errors."""
