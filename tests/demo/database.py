"""The demo's database: a SQLite file, or a PostgreSQL server of its own that keeps its folder."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.demo.processes import DemoError
from tests.support.postgres import PostgresError, postgres_cluster


@dataclass(frozen=True, slots=True)
class Database:
    """Where the cloud keeps its truth."""

    name: str
    url: str
    files: Path
    """Folder (or file) that holds every byte of it."""


@contextmanager
def open_database(name: str, root: Path, *, fresh: bool, keep: bool = True) -> Iterator[Database]:
    """Open the database of a world.

    Args:
        name: ``sqlite`` or ``postgres``.
        fresh: start empty.
        keep: leave it there for the next run.
    """
    if name == "sqlite":
        yield Database(name, f"sqlite:///{root / 'cloud.sqlite3'}", root)
        return
    # Not below the checkout: PostgreSQL refuses root, and the account it runs as cannot reach a private home.
    folder = Path("/var/tmp") / f"vk-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"
    try:
        with postgres_cluster(folder=folder, fresh=fresh, durable=True) as cluster:
            if not cluster.has_database("voucher"):
                cluster.make_database(name="voucher")
            yield Database(name, cluster.url("voucher"), folder)
    except PostgresError as problem:
        raise DemoError(str(problem)) from problem
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
