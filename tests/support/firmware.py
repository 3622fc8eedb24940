"""The keypad board's modules, loaded from where the technician copies them from, and a real MicroPython to run them in."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "hardware" / "firmware"
BOARD_TESTS = ROOT / "tests" / "hardware" / "board"
_PACKAGE = FIRMWARE / "node_modules" / "@micropython" / "micropython-webassembly-pyscript"


def load_firmware(name: str) -> ModuleType:
    """Import one of the board's pure modules on CPython."""
    spec = importlib.util.spec_from_file_location(f"firmware_{name}", FIRMWARE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_on_cpython(script: Path, folder: Path) -> str:
    """Run a script beside the board's modules and return its output."""
    for file in _board_files():
        shutil.copy(file, folder)
    return _output([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n" + script.read_text()])


def run_on_micropython(script: Path) -> str:
    """Run a script beside the board's modules in a real MicroPython and return its output; fails where there is none."""
    node = shutil.which("node")
    if node is None or not _PACKAGE.is_dir():
        pytest.fail("needs node and MicroPython: make test installs both", pytrace=False)
    runner = ROOT / "tests" / "hardware" / "run_micropython.mjs"
    return _output([node, str(runner), str(_PACKAGE), str(script), *map(str, _board_files())])


def _board_files() -> list[Path]:
    return [*(FIRMWARE / name for name in ("main.py", "matrix.py", "frames.py")), BOARD_TESTS / "machine.py"]


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
