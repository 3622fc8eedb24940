"""SQLite takes one ingest worker: a lock on a file beside the database, which the system lets go of when the worker ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protocol.errors import PortError


@contextmanager
def only_worker(database: Path) -> Iterator[None]:
    """Be the only ingest worker on a SQLite database while inside.

    Raises:
        PortError: another one works on it, or the file cannot be made.
    """
    path = database.with_name(f"{database.name}.ingest-lock")
    try:
        file = path.open("ab")
    except OSError as problem:
        raise PortError(f"{path} cannot be written: {problem.strerror}", retry=False) from problem
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PortError(
                f"another ingest worker works on {database}; SQLite takes one, PostgreSQL several", retry=False
            ) from None
        yield
