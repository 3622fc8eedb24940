"""PostgreSQL's own pgbench with the smallest transaction that could pass for an order: one inbox row, two lines, prepared.

Nothing is read, judged or booked; what one connection reaches is the speed of a durable commit here.
"""

import re
import subprocess
from pathlib import Path
from typing import Final

from tests.bench.measuring import WrongAnswerError
from tests.support.postgres import Cluster, postgres_binaries

VOUCHERS: Final = 2
_TABLES: Final = """
DROP TABLE IF EXISTS raw_line, raw_inbox;
DROP SEQUENCE IF EXISTS raw_voucher;
CREATE TABLE raw_inbox (request_id uuid PRIMARY KEY, answer bytea NOT NULL, answered_at timestamptz NOT NULL);
CREATE TABLE raw_line (voucher_no varchar(12) PRIMARY KEY, redemption_id uuid NOT NULL);
CREATE SEQUENCE raw_voucher;
"""
_SCRIPT: Final = """
BEGIN;
INSERT INTO raw_inbox VALUES (gen_random_uuid(), repeat('x', 200)::bytea, now());
INSERT INTO raw_line SELECT lpad(nextval('raw_voucher')::text, 12, '0'), gen_random_uuid() FROM generate_series(1, {vouchers});
COMMIT;
"""
_TPS: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


class PgBench:
    """pgbench on a database of its own."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._script = folder / "order.sql"
        self._script.write_text(_SCRIPT.format(vouchers=VOUCHERS), "ascii")
        self._database = cluster.make_database()
        tables = folder / "tables.sql"
        tables.write_text(_TABLES, "ascii")
        self._call("psql", "--quiet", "--file", str(tables), self._database)

    def seconds_per_transaction(self, *, clients: int, transactions: int) -> float:
        """Run; ``transactions`` are those of all clients together."""
        each = max(1, transactions // clients)
        options = ["--no-vacuum", "--protocol=prepared", f"--client={clients}", f"--transactions={each}", "--file"]
        said = self._call("pgbench", *options, str(self._script), self._database)
        found = _TPS.search(said)
        if found is None:
            raise WrongAnswerError(f"pgbench said nothing of its speed: {said[-300:]}")
        return 1 / float(found[1])

    def _call(self, program: str, *arguments: str) -> str:
        command = [
            str(postgres_binaries() / program),
            "--host",
            str(self._cluster.folder),
            "--username",
            "postgres",
            *arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise WrongAnswerError(f"{program} failed: {done.stderr.strip()[-300:]}")
        return done.stdout
