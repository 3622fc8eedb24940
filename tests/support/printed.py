"""Cuts printed sheets into vouchers, as scissors would."""

import io
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from PIL import Image

from cloud.adapters.sheets import PAGE_WIDTH_MM, VOUCHERS_PER_PAGE, voucher_box


def cut_vouchers(folder: Path) -> Iterator[bytes]:
    """Yield a PNG of each voucher on the pages in a folder, in order of issue; empty places at the end are yielded too."""
    places = count()
    for page in sorted(folder.glob("*.png")):
        with Image.open(page) as sheet:
            pixels_per_mm = sheet.width / PAGE_WIDTH_MM
            for _ in range(VOUCHERS_PER_PAGE):
                box = voucher_box(next(places))
                left, upper = box.x_mm * pixels_per_mm, box.y_mm * pixels_per_mm
                right, lower = left + box.width_mm * pixels_per_mm, upper + box.height_mm * pixels_per_mm
                cut = io.BytesIO()
                sheet.crop((round(left), round(upper), round(right), round(lower))).convert("L").save(
                    cut, "png", compress_level=1
                )
                yield cut.getvalue()
