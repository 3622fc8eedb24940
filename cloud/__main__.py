"""``python -m cloud``."""

import sys

from cloud import wiring


def main() -> int:
    """Run the command line's command; the exit code."""
    return wiring.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
