"""Where tests put what they throw away: in memory where there is room, else on disk.

A database writes more in a test than it computes, and what a test has written nobody reads again. Kills of processes, which
is what tests do, are the same on both; whatever must outlive a machine is measured on a real disk (``tests/bench``).
"""

import os
import shutil
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")
DISK: Final = Path("/var/tmp")
"""For what must be durable."""

ROOM_MIN: Final = 3 << 30
"""Free bytes; a whole run has held 1 GB at most. A container often has 64 MB."""


def scratch_folder() -> Path:
    """The folder to make folders in."""
    try:
        has_room = shutil.disk_usage(_MEMORY).free >= ROOM_MIN and os.access(_MEMORY, os.W_OK)
    except FileNotFoundError:
        has_room = False
    return _MEMORY if has_room else DISK
