"""Databases whose holders are to be forgotten: in memory, on SQLite and on PostgreSQL, each with the same two programmes.

``stay-2021`` ends on 30 April 2022 and its disputes 90 days later; ``tour-2023`` goes on for a year longer.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import Engine, select

from cloud.adapters.sql.retention import SqlRetentionStore
from cloud.adapters.sql.tables import digit_try, voucher
from cloud.domain.retention import DISPUTE_DAYS, KnownIssue
from cloud.ports.retention import RetentionStore
from cloud.services.answer import answer_batch
from protocol.messages import Answer, decode_answer
from tests.fakes.cloud_retention import MemoryRetentionStore
from tests.support.asks import Asks
from tests.support.ingest_stores import Bench, memory_bench, sql_bench
from tests.support.worlds import NOW, World, issue_id_of, make_programme, make_world

OVER, LASTING = "stay-2021", "tour-2023"
STRANGER: Final = "777777777777"
"""A number that nobody has."""

DISPUTED: Final = datetime(2022, 7, 29, 15, 59, 59, 999_999, tzinfo=UTC)
"""The last instant of the disputes over ``stay-2021``, in Taipei's 29 July."""

DUE: Final = datetime(2022, 7, 29, 16, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Past:
    """A database with a past."""

    bench: Bench
    retention: RetentionStore
    tags: Callable[[], Mapping[str, bytes]]
    """Known tags by voucher number."""
    tried: Callable[[], Set[str]]
    """Numbers with wrong tries."""
    asks: Asks

    @property
    def world(self) -> World:
        """What was issued."""
        return self.bench.world

    def ask(self, *asks: object, now: datetime = NOW) -> list[Answer]:
        """Have requests answered."""
        return [decode_answer(stored.answer) for stored in answer_batch(self.bench.store, asks, now=now)]  # type: ignore[arg-type]


def retention_world(vouchers: int = 8) -> World:
    """Two programmes with so many vouchers each."""
    lasting = make_programme(LASTING, ends_on=date(2023, 4, 30))
    return make_world(voucher_count=vouchers, programmes=(make_programme(OVER), lasting))


def memory_past(world: World) -> Past:
    """The fake."""
    bench = memory_bench(world)
    store = bench.store
    issues = {
        issue_id_of(place): (
            KnownIssue(issue_id_of(place), NOW, scheme.ends_on, DISPUTE_DAYS),
            world.numbers(scheme.programme_id),
        )
        for place, scheme in enumerate(world.programmes)
    }
    return Past(
        bench,
        MemoryRetentionStore(store, issues),  # type: ignore[arg-type]
        lambda: {no: found.digit_tag for no, found in store.vouchers.items() if found.digit_tag is not None},  # type: ignore[attr-defined]
        lambda: set(store.wrong_tries),  # type: ignore[attr-defined]
        Asks(world, world.shops[0]),
    )


def sql_past(engine: Engine, world: World) -> Past:
    """A migrated, empty database, filled."""
    bench = sql_bench(engine, world)

    def tags() -> Mapping[str, bytes]:
        with engine.connect() as connection:
            known = select(voucher.c.voucher_no, voucher.c.digit_tag).where(voucher.c.digit_tag.is_not(None))
            return {row.voucher_no: row.digit_tag for row in connection.execute(known)}

    def tried() -> Set[str]:
        with engine.connect() as connection:
            return set(connection.scalars(select(digit_try.c.voucher_no)))

    return Past(bench, SqlRetentionStore(engine), tags, tried, Asks(world, world.shops[0]))
