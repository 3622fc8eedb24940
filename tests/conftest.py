"""For all tests: where ``tmp_path`` is."""

import os

from tests.support.scratch import scratch_folder


def pytest_configure() -> None:
    """Name the folder before pytest makes its own in it; what the caller has set stays."""
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(scratch_folder()))
