"""The three ingest databases of the contract suite, each with the same world in it and the same way to look at its facts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Engine, Table, func, select

from cloud.adapters.ingest_stores import make_ingest_store
from cloud.adapters.sql.engine import for_reading
from cloud.adapters.sql.tables import digit_try, hold, inbox, ledger_entry, redemption, redemption_line
from cloud.ports.ingest import IngestStore
from tests.fakes.cloud_ingest import MemoryIngestStore
from tests.support.worlds import World, insert_world


class Facts(Protocol):
    """What stands in the database."""

    def answers(self) -> Mapping[UUID, bytes]:
        """Stored answers by request id."""

    def uses(self) -> Mapping[str, UUID]:
        """Redemption by voucher number."""

    def redemptions(self) -> set[UUID]: ...

    def wrong_tries(self) -> Mapping[str, int]:
        """How many by voucher number."""

    def holds(self) -> Mapping[str, UUID]:
        """Visit by voucher number, expired ones too."""

    def balances(self) -> Mapping[str, int]:
        """Sum by account."""

    def unbalanced_journals(self) -> int: ...


@dataclass(frozen=True)
class MemoryFacts:
    """Of the fake."""

    store: MemoryIngestStore

    def answers(self) -> Mapping[UUID, bytes]:
        return {key: found.answer for key, found in self.store.answers.items()}

    def uses(self) -> Mapping[str, UUID]:
        return {number: use.redemption_id for number, use in self.store.uses.items()}

    def redemptions(self) -> set[UUID]:
        return set(self.store.redemptions)

    def wrong_tries(self) -> Mapping[str, int]:
        return dict(self.store.wrong_tries)

    def holds(self) -> Mapping[str, UUID]:
        return {number: hold.visit_id for number, hold in self.store.holds.items()}

    def balances(self) -> Mapping[str, int]:
        sums: dict[str, int] = {}
        for journal in self.store.journals.values():
            for posting in journal.postings:
                sums[posting.account] = sums.get(posting.account, 0) + posting.amount_twd
        return sums

    def unbalanced_journals(self) -> int:
        journals = self.store.journals.values()
        return sum(sum(posting.amount_twd for posting in journal.postings) != 0 for journal in journals)


@dataclass(frozen=True)
class SqlFacts:
    """Of SQLite and PostgreSQL."""

    engine: Engine

    def answers(self) -> Mapping[UUID, bytes]:
        return self._map(inbox, "request_id", "answer")

    def uses(self) -> Mapping[str, UUID]:
        return self._map(redemption_line, "voucher_no", "redemption_id")

    def redemptions(self) -> set[UUID]:
        return set(self._map(redemption, "redemption_id", "redemption_id"))

    def wrong_tries(self) -> Mapping[str, int]:
        query = select(digit_try.c.voucher_no, func.count()).group_by(digit_try.c.voucher_no)
        with for_reading(self.engine).connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def holds(self) -> Mapping[str, UUID]:
        return self._map(hold, "voucher_no", "visit_id")

    def balances(self) -> Mapping[str, int]:
        query = select(ledger_entry.c.account, func.sum(ledger_entry.c.amount_twd)).group_by(ledger_entry.c.account)
        with for_reading(self.engine).connect() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(query)}

    def unbalanced_journals(self) -> int:
        sums = select(func.sum(ledger_entry.c.amount_twd).label("balance")).group_by(
            ledger_entry.c.journal_id, ledger_entry.c.kind
        )
        summed = sums.subquery()
        query = select(func.count()).select_from(summed).where(summed.c.balance != 0)
        with for_reading(self.engine).connect() as connection:
            return int(connection.execute(query).scalar_one())

    def _map(self, table: Table, key: str, value: str) -> dict[Any, Any]:
        with for_reading(self.engine).connect() as connection:
            return {row[0]: row[1] for row in connection.execute(select(table.c[key], table.c[value]))}


@dataclass(frozen=True)
class Bench:
    """One database with a world in it."""

    world: World
    store: IngestStore
    facts: Facts


def memory_bench(world: World) -> Bench:
    """The fake, filled."""
    store = MemoryIngestStore(
        senders=world.senders(),
        programmes={scheme.programme_id: scheme for scheme in world.programmes},
        vouchers=world.known_vouchers(),
        journals=world.issue_journals(),
    )
    return Bench(world, store, MemoryFacts(store))


def sql_bench(engine: Engine, world: World) -> Bench:
    """A migrated, empty database, filled."""
    insert_world(engine, world)
    return Bench(world, make_ingest_store(engine), SqlFacts(engine))
