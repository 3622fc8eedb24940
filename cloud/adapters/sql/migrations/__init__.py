"""The schema's history, and the two things a program does with it: bring a database to its head, or refuse to run below it.

Alembic without an ini file: the configuration is built here. A new revision is a new module in ``versions``, written by
hand; the test that compares a migrated database with ``tables.metadata`` says what is missing.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, select

from cloud.adapters.sql.failures import translated
from protocol.errors import PortError

_MIGRATION_LOCK = 0x766B_0001
"""Any number: all programs that migrate ask PostgreSQL for this one advisory lock."""


def migrate(engine: Engine, *, revision: str = "head") -> None:
    """Bring the database to a revision, in one transaction. Two programs may do it at once: the second finds it done.

    Args:
        engine: a writing engine of :func:`cloud.adapters.sql.engine.make_engine`.
        revision: usually the newest; ``base`` removes everything.

    Raises:
        PortError: the database cannot be reached.
    """
    with translated(), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        config = _config(connection)
        if revision == "base":
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)


def check_at_head(engine: Engine) -> None:
    """Make sure that the database has the schema which this program was written for.

    Raises:
        PortError: it has another one (``retry`` is False), or cannot be reached.
    """
    with translated(), engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    wanted = ScriptDirectory.from_config(_config(None)).get_current_head()
    if found != wanted:
        raise PortError(
            f"the database is at revision {found or 'none'}, this program needs {wanted}: run the init command", retry=False
        )


def _config(connection: Connection | None) -> Config:
    config = Config()
    # Alembic's interpolation takes a percent sign in a path for its own.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
