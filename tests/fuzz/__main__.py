"""``python -m tests.fuzz --cases 20000``: last line one JSON object; exit code 1 where anything failed."""

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from tests.fuzz.run import open_fuzz
from tests.support.postgres import postgres_cluster


@contextmanager
def _database(kind: str) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            yield _migrated(f"sqlite:///{Path(folder) / 'cloud.sqlite3'}")
            return
        with postgres_cluster() as cluster:
            yield _migrated(cluster.url(cluster.make_database()))


def _migrated(url: str) -> Engine:
    engine = make_engine(url)
    migrate(engine)
    return engine


def main() -> int:
    """Run, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=20261120)
    parser.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite")
    wanted = parser.parse_args()
    logging.disable(logging.WARNING)
    with _database(wanted.db) as engine:
        report = open_fuzz(engine, seed_no=wanted.seed).run(wanted.cases)
        engine.dispose()
    print(report.line())
    return 1 if report.failure_count or report.cases < wanted.cases else 0


if __name__ == "__main__":
    sys.exit(main())
