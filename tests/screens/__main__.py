"""``python -m tests.screens OUTDIR [WORD]``: every screen, page and document as PNG.

Each module of this package that has ``render(outdir, browser)`` takes part; add a face by adding a module. ``WORD`` narrows
it to modules whose name contains it.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

import tests.screens
from tests.support.browser import open_browser


def main(arguments: list[str]) -> int:
    """Render; returns the exit status."""
    if len(arguments) not in (1, 2):
        print("usage: python -m tests.screens OUTDIR [WORD]", file=sys.stderr)
        return 2
    outdir, word = Path(arguments[0]), arguments[1] if len(arguments) == 2 else ""
    names = [name for _, name, _ in pkgutil.iter_modules(tests.screens.__path__) if not name.startswith("_") and word in name]
    with open_browser() as browser:
        for name in names:
            module = importlib.import_module(f"tests.screens.{name}")
            folder = outdir / name
            folder.mkdir(parents=True, exist_ok=True)
            module.render(folder, browser)
            print(f"✓ {name:<12} {len(list(folder.glob('**/*.png'))):>4} pictures in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
