"""Checks the board's programs with mypy against MicroPython's own stubs: run it with the project's Python.

The stubs come from the installed packages micropython-rp2-stubs and, where installed, micropython-stdlib-stubs. They are
copied into a temporary folder, because mypy takes no stubs for the standard library out of site-packages. With the second
package an import that MicroPython lacks is an error, too.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

FIRMWARE = Path(__file__).parent
PROGRAMS = ("main.py", "matrix.py", "frames.py")
STUBS = ("micropython-rp2-stubs", "micropython-stdlib-stubs")


def main() -> int:
    """Return mypy's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        if not _copy_stubs(STUBS[0], Path(folder)):
            sys.stderr.write(f"{STUBS[0]} is not installed; it is in this project's extra 'tools'\n")
            return 2
        command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini"]
        if _copy_stubs(STUBS[1], Path(folder)):
            command += ["--custom-typeshed-dir", folder]
        return subprocess.run(
            [*command, *PROGRAMS], cwd=FIRMWARE, env={**os.environ, "MYPYPATH": folder}, check=False
        ).returncode


def _copy_stubs(package: str, folder: Path) -> bool:
    """Copy a package's stubs; False when it is not installed."""
    try:
        files = metadata.files(package)
    except metadata.PackageNotFoundError:
        return False
    # VERSIONS tells mypy which standard modules there are.
    for file in (file for file in files or () if file.suffix == ".pyi" or file.name == "VERSIONS"):
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.locate(), target)
    return True


if __name__ == "__main__":
    sys.exit(main())
