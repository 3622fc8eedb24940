"""The database leg of ingest: judge a batch and commit it, orders per second, on SQLite (FULL) and on PostgreSQL (durable).

Beside it, in the same rounds: the database alone, told to write the same rows (:mod:`tests.bench.set_sql`), which is the
limit; the naive worker, which opens one transaction per order and asks voucher by voucher; and the bare disk, one append of a
page and ``fdatasync``, which is what a commit can never be faster than.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Connection, Engine, insert, select

from cloud.adapters.ingest_stores import make_ingest_store
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.journals import insert_journals
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.tables import inbox, redemption, redemption_line, voucher
from cloud.domain.ledger import redeem_journal
from cloud.domain.records import Ask, Decisions, Redemption
from cloud.domain.redemption import judge
from cloud.services.answer import answer_batch
from protocol.messages import Redeem, RedeemAccepted, decode_answer
from tests.bench.measuring import ROUNDS, Case, Figure, WrongAnswerError, measure
from tests.bench.set_sql import SetSql
from tests.support.asks import Asks
from tests.support.ingest_stores import SqlFacts
from tests.support.postgres import postgres_cluster
from tests.support.worlds import NOW, Shop, World, insert_world, make_programme, make_world

ORDERS_OF: Final = {1: 100, 10: 300, 100: 1_000, 400: 1_600}
"""How many orders one round of each batch size takes."""

SET_SIZE: Final = 400
"""Orders of one batch that the database writes alone."""

NAIVE_ORDERS: Final = 100
SYNCS: Final = 100
SHOPS: Final = "abcdefghijklmnopqrst"
_VOUCHERS_OF_ORDER: Final = (1, 2, 3, 4)
_PAGE: Final = bytes(4096)
_NAIVE: Final = "one order per transaction"
SET_SQL: Final = "set SQL"
"""The case in which the database is alone."""

_DISK: Final = "fdatasync"


def run_leg(*, share: float = 1.0, postgres: bool = True) -> dict[str, Any]:
    """Measure.

    Args:
        share: of the usual number of orders.

    Raises:
        WrongAnswerError: an order was not redeemed, or the books do not balance afterwards.
    """
    # Not /tmp, which may be memory: a commit must meet a disk.
    with TemporaryDirectory(prefix="vk-bench-", dir="/var/tmp") as folder, _databases(Path(folder), postgres) as engines:
        legs = {name: Leg(engine, share) for name, engine in engines.items()}
        cases: dict[str, Case] = {_DISK: partial(_sync, Path(folder) / "page", max(10, int(SYNCS * share)))}
        for name, leg in legs.items():
            cases |= {f"{name}: {case}": act for case, act in leg.cases().items()}
        figures = measure(cases)
        for leg in legs.values():
            leg.check()
        disk = figures[_DISK]
        found = {name: _summary(name, figures, disk) for name in legs}
    return {"fdatasync_per_s": round(disk.per_s), "fdatasync_spread": round(disk.spread, 2), **found}


class Leg:
    """One database with enough vouchers for all rounds."""

    def __init__(self, engine: Engine, share: float = 1.0, *, commits_of_one: int = 0) -> None:
        """Fill the database.

        Args:
            share: of the usual number of orders; 0 for no cases, only :meth:`commits_of_one`.
            commits_of_one: how many of them will be asked for in all.
        """
        self._engine = engine
        self._store = make_ingest_store(engine)
        self._orders = {size: max(size, int(count * share)) for size, count in ORDERS_OF.items() if share}
        self._naive_orders = max(10, int(NAIVE_ORDERS * share)) if share else 0
        self._used = 0
        self._set_batches = -(-self._orders.get(SET_SIZE, 0) // SET_SIZE)
        total = commits_of_one + ROUNDS * (sum(self._orders.values()) + self._naive_orders + self._set_batches * SET_SIZE)
        self._world = _make_world(total * max(_VOUCHERS_OF_ORDER))
        insert_world(engine, self._world)
        self._asks = _orders(self._world)
        sets = [self._decide(SET_SIZE) for _ in range(ROUNDS * self._set_batches)]
        self._set_sql = SetSql(engine, sets) if sets else None

    def cases(self) -> dict[str, Case]:
        """What to measure: seconds per order."""
        batches: dict[str, Case] = {
            f"batches of {size}": partial(self._answer, size, count) for size, count in self._orders.items()
        }
        return batches | {_NAIVE: self._naive, SET_SQL: self._write_sets} if self._set_sql else {}

    def commits_of_one(self, count: int) -> list[float]:
        """Judge and commit orders one by one; the seconds of each."""
        return [self._answer(1, 1) for _ in range(count)]

    def check(self) -> None:
        """Every voucher that was asked for is used, once, and the books balance."""
        facts = SqlFacts(self._engine)
        if len(facts.uses()) != self._used or facts.unbalanced_journals() or sum(facts.balances().values()):
            raise WrongAnswerError(f"{self._engine.dialect.name}: the database does not hold what was redeemed")

    def _answer(self, size: int, count: int) -> float:
        asks = self._take(count)
        batches = [asks[start : start + size] for start in range(0, count, size)]
        began = time.perf_counter()
        answers = [answer for batch in batches for answer in answer_batch(self._store, batch, now=NOW)]
        took = time.perf_counter() - began
        if not all(isinstance(decode_answer(answer.answer), RedeemAccepted) for answer in answers):
            raise WrongAnswerError(f"{self._engine.dialect.name}: an order was refused")
        return took / count

    def _decide(self, count: int) -> Decisions:
        asks = self._take(count)
        with self._store.begin() as transaction:
            return judge(asks, transaction.load(asks), NOW).decisions

    def _write_sets(self) -> float:
        assert self._set_sql is not None
        return self._set_sql.write(self._set_batches) / (self._set_batches * SET_SIZE)

    def _naive(self) -> float:
        asks = self._take(self._naive_orders)
        began = time.perf_counter()
        for ask in asks:
            with self._engine.begin() as connection:
                _redeem_naively(connection, self._world, ask)
        return (time.perf_counter() - began) / len(asks)

    def _take(self, count: int) -> Sequence[Ask]:
        asks = list(islice(self._asks, count))
        self._used += sum(len(ask.request.voucher_nos) for ask in asks)
        return asks


def _summary(name: str, figures: dict[str, Figure], disk: Figure) -> dict[str, Any]:
    mine = {case.removeprefix(f"{name}: "): figure for case, figure in figures.items() if case.startswith(f"{name}: ")}
    one, hundred, naive = mine["batches of 1"], mine["batches of 100"], mine[_NAIVE]
    largest = mine[f"batches of {SET_SIZE}"]
    return {
        "orders_per_s": {case: round(figure.per_s) for case, figure in mine.items()},
        "spread": {case: round(figure.spread, 2) for case, figure in mine.items()},
        "batches of 100 / one order per transaction": round(hundred.per_s / naive.per_s, 1),
        f"batches of {SET_SIZE} / set SQL": round(largest.per_s / mine[SET_SQL].per_s, 2),
        "batches of 100 / batches of 1": round(hundred.per_s / one.per_s, 1),
        "batches of 1 / fdatasync": round(one.per_s / disk.per_s, 3),
        "batches of 100 / fdatasync": round(hundred.per_s / disk.per_s, 2),
    }


def _redeem_naively(connection: Connection, world: World, ask: Ask) -> None:
    """The same rows, as they are written where nobody thinks of batches: plain statements, no ORM, one voucher at a time."""
    order = ask.request
    assert isinstance(order, Redeem)
    for number, tag in zip(order.vouchers, ask.digit_tags, strict=True):
        stored = connection.scalar(select(voucher.c.digit_tag).where(voucher.c.voucher_no == number))
        used = connection.scalar(select(redemption_line.c.redemption_id).where(redemption_line.c.voucher_no == number))
        if stored != tag or used is not None:
            raise WrongAnswerError("the naive worker refused an order")
    made = _redemption(world, ask, order)
    connection.execute(insert(inbox).values(**_inbox_row(ask, order)))
    connection.execute(insert(redemption).values(**_redemption_row(made)))
    for line_no, number in enumerate(made.voucher_nos, start=1):
        connection.execute(
            insert(redemption_line).values(
                voucher_no=number, redemption_id=made.redemption_id, line_no=line_no, face_value_twd=made.face_value_twd
            )
        )
    insert_journals(connection, [redeem_journal(made)])


def _redemption(world: World, ask: Ask, order: Redeem) -> Redemption:
    shop = next(shop for shop in world.shops if shop.device_id == ask.sender_id)
    face_value_twd = world.programmes[0].face_value_twd
    redeemed_twd = face_value_twd * len(order.vouchers)
    return Redemption(
        redemption_id=ask.request_id,
        programme_id=world.programmes[0].programme_id,
        merchant_id=shop.merchant_id,
        site_id=shop.site_id,
        device_id=shop.device_id,
        staff_id=None,
        item_category=order.item_category,
        order_total_twd=order.order_total_twd,
        voucher_nos=tuple(order.vouchers),
        face_value_twd=face_value_twd,
        redeemed_twd=redeemed_twd,
        topup_twd=max(0, order.order_total_twd - redeemed_twd),
        redeemed_at=NOW,
    )


def _redemption_row(made: Redemption) -> dict[str, Any]:
    columns = (column.name for column in redemption.columns)
    values = {name: getattr(made, name) for name in columns if hasattr(made, name)}
    return values | {"voucher_count": len(made.voucher_nos), "voucher_nos": " ".join(made.voucher_nos)}


def _inbox_row(ask: Ask, order: Redeem) -> dict[str, Any]:
    return {
        "request_id": ask.request_id,
        "sender_id": ask.sender_id,
        "kind": str(ask.kind),
        "body_hash": ask.body_hash,
        "sequence": order.sequence,
        "link": ask.link,
        "previous": order.previous,
        "answer": sha256(ask.body_hash).digest(),
        "answered_at": NOW,
    }


def _orders(world: World) -> Iterator[Ask]:
    makers = [Asks(world, shop) for shop in world.shops]
    numbers = iter(world.numbers())
    for maker, count in zip(cycle(makers), cycle(_VOUCHERS_OF_ORDER), strict=False):
        wanted = list(islice(numbers, count))
        if len(wanted) < count:
            return
        yield maker.redeem(*wanted)


def _make_world(vouchers: int) -> World:
    shops = tuple(Shop(f"hotel-{letter}") for letter in SHOPS)
    return make_world(voucher_count=vouchers, programmes=(make_programme(),), shops=shops)


@contextmanager
def _databases(folder: Path, postgres: bool) -> Iterator[dict[str, Engine]]:
    with _opened(f"sqlite:///{folder / 'bench.sqlite3'}") as sqlite:
        if not postgres:
            yield {"sqlite": sqlite}
            return
        with postgres_cluster(durable=True) as cluster, _opened(cluster.url(cluster.make_database())) as server:
            yield {"sqlite": sqlite, "postgresql": server}


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    migrate(engine)
    try:
        yield engine
    finally:
        engine.dispose()


def _sync(path: Path, count: int) -> float:
    with path.open("ab", buffering=0) as page:
        began = time.perf_counter()
        for _ in range(count):
            page.write(_PAGE)
            os.fdatasync(page.fileno())
        return (time.perf_counter() - began) / count
