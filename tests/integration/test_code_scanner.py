"""The scanner reads vouchers as a camera sees them, and nothing else."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image, ImageOps

from kiosk.adapters.found import Found
from kiosk.adapters.scan_passes import first_look, quick_passes, slow_passes, tilted_passes, without_misreadings
from kiosk.adapters.scanner import CALM_STRIDE, SIDE_MIN, CodeScanner
from kiosk.adapters.zbar_reader import ZbarReader
from kiosk.ports import Frame
from tests.support import codes
from tests.support.codes import VOUCHER_NO, VOUCHER_URL, luma
from tests.support.pictures import DEMO_LEVEL, Shot, empty_frame, photograph

FRAMES_MAX = 8
"""About half a second of video."""


@pytest.fixture(scope="module")
def scanner() -> Iterator[CodeScanner]:
    made = CodeScanner()
    yield made
    made.close()


def _read_video(scanner: CodeScanner, clean: Image.Image, shots: list[Shot]) -> bytes | None:
    """Show frames until one is read; whatever is read must be one code."""
    for shot in shots:
        found = scanner.scan(luma(photograph(clean, shot)))
        if found:
            (content,) = found
            return content
    return None


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_qr_voucher_is_read_within_a_few_frames(scanner: CodeScanner, seed: int, upside_down: bool, inverted: bool) -> None:
    shots = [Shot(100 * seed + n, DEMO_LEVEL, inverted=inverted, upside_down=upside_down) for n in range(FRAMES_MAX)]
    assert _read_video(scanner, codes.qr_code(VOUCHER_URL), shots) == VOUCHER_URL.encode()


@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_code128_voucher_is_read_within_a_few_frames(scanner: CodeScanner, seed: int, upside_down: bool) -> None:
    shots = [Shot(100 * seed + n, DEMO_LEVEL, upside_down=upside_down) for n in range(FRAMES_MAX)]
    assert _read_video(scanner, codes.code128(VOUCHER_NO), shots) == VOUCHER_NO.encode()


@settings(max_examples=25, deadline=None)
@given(number=st.from_regex(r"[0-9]{12}", fullmatch=True), seed=st.integers(0, 2**32), level=st.floats(0, 3))
def test_what_is_read_is_what_was_printed(scanner: CodeScanner, number: str, seed: int, level: float) -> None:
    shots = [Shot(seed + n, level) for n in range(2)]
    for clean in (codes.qr_code(number), codes.code128(number)):
        assert _read_video(scanner, clean, shots) in (None, number.encode())


@pytest.mark.parametrize("noise", [0.0, 4.0, 40.0])
def test_an_empty_counter_reads_nothing(scanner: CodeScanner, noise: float) -> None:
    rotation = 15 * CALM_STRIDE
    for seed in range(rotation):
        assert scanner.scan(luma(empty_frame(seed, noise=noise))) == ()


@pytest.mark.parametrize("degrees", [20, 35, 50, 70])
def test_a_tilted_barcode_is_read_within_one_rotation(scanner: CodeScanner, degrees: int) -> None:
    lying = luma(codes.code128(VOUCHER_NO).resize((1000, 300)).rotate(degrees, expand=True, fillcolor=255))
    found = next((got for got in (scanner.scan(lying) for _ in range(15 * CALM_STRIDE)) if got), None)
    assert found == (VOUCHER_NO.encode(),)


def test_a_misread_barcode_is_left_out_and_other_codes_stay() -> None:
    frame = luma(codes.code128(VOUCHER_NO))
    right, misread = Found(VOUCHER_NO.encode(), is_barcode=True), Found(b"004217708837", is_barcode=True)
    beside = Found(b"004217708837", is_barcode=False)
    assert without_misreadings(frame, [misread, right, beside]) == [right, beside]
    blank = np.full_like(frame, 200)
    assert without_misreadings(blank, [misread]) == [misread], "a second look that sees nothing proves nothing"
    assert without_misreadings(blank, [Found(b"C", is_barcode=True)]) == []


def test_two_codes_in_one_frame_are_both_read_each_once(scanner: CodeScanner) -> None:
    first, second = codes.qr_code("000000000001"), codes.qr_code("000000000002")
    both = Image.new("L", (900, 400), 255)
    for place, code in enumerate((first, second, first)):
        both.paste(code, (20 + 300 * place, 50))
    assert sorted(scanner.scan(luma(both))) == [b"000000000001", b"000000000002"]


@pytest.mark.parametrize("foreign", [codes.micro_qr_code("12345"), codes.ean13("4710088430014")], ids=["micro QR", "EAN-13"])
def test_foreign_symbologies_are_not_read(scanner: CodeScanner, foreign: Image.Image) -> None:
    frame = luma(foreign)
    assert scanner.scan_still(frame) == ()
    assert [found for found in (scanner.scan(frame) for _ in range(15 * CALM_STRIDE)) if found] == []


def test_binary_content_comes_out_unchanged(scanner: CodeScanner) -> None:
    assert scanner.scan(luma(codes.qr_code("é\x80ÿ"))) == ("é\x80ÿ".encode("latin-1"),)


def test_structured_append_does_no_harm(scanner: CodeScanner) -> None:
    frame = luma(codes.structured_append("0123456789" * 12))
    scanner.scan_still(frame)
    assert scanner.scan_still(luma(codes.qr_code(VOUCHER_NO))) == (VOUCHER_NO.encode(),)


_QUICK = [p.name for p in quick_passes(lambda _: [])]
_SLOW = [p.name for p in (*slow_passes(), *tilted_passes())]


@pytest.mark.parametrize("name", _QUICK + _SLOW)
def test_every_pass_reads_something_and_keeps_shape_troubles_away(name: str) -> None:
    zbar = ZbarReader()
    try:
        (chosen,) = (p for p in (*quick_passes(zbar.read), *slow_passes(), *tilted_passes()) if p.name == name)
        if name.startswith("turned"):
            degrees = int(name.split()[2])
            clean = codes.code128(VOUCHER_NO).resize((900, 300)).rotate(-degrees, expand=True, fillcolor=255)
        else:
            clean = codes.qr_code(VOUCHER_NO, scale=10)
        assert [code.content for code in chosen.read(luma(clean))] == [VOUCHER_NO.encode()]
        for shape in ((21, 21), (21, 333), (333, 21), (37, 41)):
            assert chosen.read(np.full(shape, 90, dtype=np.uint8)) == []
    finally:
        zbar.close()


def test_harder_passes_read_what_the_first_look_cannot(scanner: CodeScanner) -> None:
    rng = np.random.default_rng(5)
    clean = luma(codes.qr_code(VOUCHER_NO, scale=8)).astype(np.float32)
    noisy: Frame = np.clip(clean + rng.normal(0, 70, clean.shape), 0, 255).astype(np.uint8)
    assert first_look(noisy).codes == []
    assert scanner.scan_still(noisy) == (VOUCHER_NO.encode(),)


@pytest.mark.parametrize("shape", [(0, 0), (0, 700), (1, 1), (1, 5000), (SIDE_MIN - 1, 300), (SIDE_MIN, SIDE_MIN), (9000, 30)])
def test_any_size_is_a_picture(scanner: CodeScanner, shape: tuple[int, int]) -> None:
    assert scanner.scan(np.zeros(shape, dtype=np.uint8)) == ()
    assert scanner.scan_still(np.zeros(shape, dtype=np.uint8)) == ()


def test_a_huge_picture_is_read_at_a_fraction_of_its_size(scanner: CodeScanner) -> None:
    huge = luma(codes.qr_code(VOUCHER_NO).resize((5000, 5000), Image.Resampling.NEAREST))
    assert scanner.scan(huge) == (VOUCHER_NO.encode(),)


def test_strides_do_not_matter(scanner: CodeScanner) -> None:
    frame = luma(codes.qr_code(VOUCHER_NO))
    padded = np.pad(frame, ((0, 7), (0, 13)))[: frame.shape[0], : frame.shape[1]]
    assert not padded.flags.c_contiguous
    for view in (padded, frame[::-1], frame[:, ::-1].T, np.asfortranarray(frame), np.repeat(frame, 2, 1)[:, ::2]):
        assert scanner.scan(view) == (VOUCHER_NO.encode(),)
    frame.setflags(write=False)
    assert scanner.scan(frame) == (VOUCHER_NO.encode(),)


def test_what_is_no_luma_holds_no_codes(scanner: CodeScanner) -> None:
    colour = np.asarray(ImageOps.colorize(codes.qr_code(VOUCHER_NO), "black", "white"))
    assert scanner.scan(colour) == ()
    assert scanner.scan(np.zeros((100, 100), dtype=np.float64)) == ()


@settings(max_examples=60, deadline=None)
@given(st_numpy.arrays(np.uint8, st_numpy.array_shapes(min_dims=2, max_dims=2, max_side=90)))
def test_no_picture_makes_it_raise(scanner: CodeScanner, frame: Frame) -> None:
    scanner.scan(frame)
    scanner.scan_still(frame)


def test_close_may_be_called_twice_and_ends_the_child() -> None:
    scanner = CodeScanner()
    scanner.scan_still(luma(empty_frame(1)))
    scanner.close()
    scanner.close()
    assert scanner.scan(luma(codes.qr_code(VOUCHER_NO))) == (VOUCHER_NO.encode(),)
