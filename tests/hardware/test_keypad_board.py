"""The keypad board's programs: pure parts against the kiosk's own rules, and the whole in CPython and a real MicroPython."""

import ast
import binascii
import textwrap
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import config as kiosk_config
from kiosk.adapters.keypad_matrix import COLUMN_PINS, ROW_PINS
from kiosk.domain.matrix import DOUBLE_STRIKE_S, STABLE_SCANS, TELEPHONE_LAYOUT, KeyMatrix, MatrixRules, has_ghost
from tests.support.firmware import BOARD_TESTS, FIRMWARE, load_firmware, run_on_cpython, run_on_micropython

frames = load_firmware("frames")
matrix = load_firmware("matrix")

bit_sets = st.integers(0, 4095)
SCAN_MS = 5


def _contacts(bits: int) -> frozenset[tuple[int, int]]:
    return frozenset(divmod(key, 3) for key in range(12) if bits >> key & 1)


@given(
    st.lists(st.tuples(bit_sets, st.integers(1, 8)), max_size=40),
    st.integers(1, 6),
    st.sampled_from([0, 40, 500]),
    st.integers(0, 2**30 - 1),
)
def test_the_board_and_the_kiosk_decode_alike(
    runs: list[tuple[int, int]], stable_scans: int, double_strike_ms: int, start_ms: int
) -> None:
    board = matrix.KeyMatrix(stable_scans, double_strike_ms)
    kiosk = KeyMatrix(rules=MatrixRules(stable_scans, double_strike_ms / 1000))
    scans = [bits for bits, times in runs for _ in range(times)]
    for number, bits in enumerate(scans):
        pressed = board.feed(bits, (start_ms + SCAN_MS * number) % 2**30)
        # Whole milliseconds on both sides, so that no rounding decides a tie.
        wanted = kiosk.feed(_contacts(bits), round(SCAN_MS * number / 1000, 3))
        assert [TELEPHONE_LAYOUT[key // 3][key % 3] for key in pressed] == wanted
        assert _contacts(board.down) == kiosk.down
        assert board.locked == kiosk.locked


@given(bit_sets)
def test_ghosts_are_the_same(bits: int) -> None:
    assert matrix.has_ghost(bits) == has_ghost(_contacts(bits))


def test_limits_are_the_same() -> None:
    assert (matrix.STABLE_SCANS, matrix.DOUBLE_STRIKE_MS) == (STABLE_SCANS, DOUBLE_STRIKE_S * 1000)
    for arguments in ((0, 500), (4, -1), (4, 2**30)):
        with pytest.raises(ValueError, match="out of range"):
            matrix.KeyMatrix(*arguments)


messages = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=32)), max_size=8)


def _line(sent: list[tuple[int, int, bytes]]) -> bytes:
    return b"".join(frames.encode_frame(*message) for message in sent)


@given(messages, st.lists(st.integers(1, 50), min_size=1))
def test_messages_arrive_in_pieces_of_any_size(sent: list[tuple[int, int, bytes]], sizes: list[int]) -> None:
    reader = frames.FrameReader()
    line, got, turn = _line(sent), [], 0
    while line:
        size = sizes[turn % len(sizes)]
        got += reader.feed(line[:size])
        line, turn = line[size:], turn + 1
    assert got == sent
    assert reader.dropped == 0


@given(st.binary(max_size=60), messages, st.binary(max_size=60))
def test_messages_are_found_between_garbage(before: bytes, sent: list[tuple[int, int, bytes]], after: bytes) -> None:
    reader = frames.FrameReader()
    # A false start may wait for as many bytes as the longest message has; silence is filled by the next beats.
    beats = [(number, frames.KIND_BEAT, b"\0") for number in range(8)]
    got = reader.feed(before + _line(sent) + after + _line(beats))
    for message in [*sent, beats[-1]]:
        assert message in got


@given(messages, st.data())
def test_a_changed_byte_loses_one_message_and_invents_none(sent: list[tuple[int, int, bytes]], chosen: st.DataObject) -> None:
    line = bytearray(_line(sent))
    if line:
        at = chosen.draw(st.integers(0, len(line) - 1))
        line[at] ^= chosen.draw(st.integers(1, 255))
    got = frames.FrameReader().feed(bytes(line) + _line([(0, frames.KIND_BEAT, b"\0")] * 8))
    assert sum(message in got for message in sent) >= len(sent) - 1
    assert all(message in sent or message == (0, frames.KIND_BEAT, b"\0") for message in got)


@given(st.binary(max_size=40))
def test_the_crc_is_the_well_known_one(content: bytes) -> None:
    assert frames.crc16(content) == binascii.crc_hqx(content, 0xFFFF)


def test_frames_are_fixed() -> None:
    assert frames.crc16(b"123456789") == 0x29B1
    assert frames.encode_frame(7, frames.KIND_KEY, b"\x0b").hex() == "aa550107020ba0ed"


def test_what_does_not_fit_a_frame_is_refused() -> None:
    for arguments in ((0, 1, bytes(33)), (256, 1, b""), (0, 256, b""), (-1, 1, b"")):
        with pytest.raises(ValueError):  # noqa: PT011 - bytes() words it differently on each Python
            frames.encode_frame(*arguments)


def _constants(path: Path) -> dict[str, object]:
    """Return a module's constants without running it."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def test_pins_are_the_ones_in_the_wiring_table() -> None:
    pins = tomllib.loads((FIRMWARE.parent / "pins.toml").read_text(encoding="utf-8"))
    assert (tuple(pins["pi"]["rows"]), tuple(pins["pi"]["columns"])) == (ROW_PINS, COLUMN_PINS)
    board = _constants(FIRMWARE / "main.py")
    wired = (board["ROW_PINS"], board["COLUMN_PINS"], board["TX_PIN"], board["RX_PIN"])
    assert wired == (tuple(pins["board"]["rows"]), tuple(pins["board"]["columns"]), pins["board"]["tx"], pins["board"]["rx"])
    assert [tuple(row) for row in pins["layout"]] == [tuple(key.value for key in row) for row in TELEPHONE_LAYOUT]


def test_the_wiring_table_in_the_readme_names_every_pin() -> None:
    pins = tomllib.loads((FIRMWARE.parent / "pins.toml").read_text(encoding="utf-8"))
    readme = (FIRMWARE.parent / "README.md").read_text(encoding="utf-8")
    for kind, name in (("rows", "Row"), ("columns", "Column")):
        for place, (pi, board) in enumerate(zip(pins["pi"][kind], pins["board"][kind], strict=True), start=1):
            (line,) = (line for line in readme.splitlines() if line.startswith(f"| {name} {place} "))
            cells = [cell.strip() for cell in line.split("|")]
            assert f"GPIO{pi}" in cells
            assert f"GP{board}" in cells


def test_the_board_program_on_cpython(tmp_path: Path) -> None:
    assert run_on_cpython(BOARD_TESTS / "check_board.py", tmp_path).split() == ["ok"]


def test_the_board_program_on_micropython() -> None:
    assert run_on_micropython(BOARD_TESTS / "check_board.py").split() == ["ok"]


def test_pure_modules_do_the_same_on_cpython_and_micropython(tmp_path: Path) -> None:
    wanted = run_on_cpython(BOARD_TESTS / "check_pure.py", tmp_path).splitlines()
    assert sum(line.startswith("matrix") for line in wanted) > 100
    assert sum(line.startswith("frame") for line in wanted) > 300
    assert run_on_micropython(BOARD_TESTS / "check_pure.py").splitlines() == wanted


def test_the_example_configuration_has_the_same_pins() -> None:
    assert kiosk_config.__doc__ is not None
    example = textwrap.dedent(kiosk_config.__doc__.split("Example::\n")[1].split("\nSecrets")[0])
    keypad = tomllib.loads(example)["keypad"]
    assert (tuple(keypad["rows"]), tuple(keypad["columns"])) == (ROW_PINS, COLUMN_PINS)
