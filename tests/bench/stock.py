"""Vouchers by the hundred thousand, issued as the product does but written at once; and the books, checked afterwards."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Engine, func, insert, select

from cloud.adapters.sql.tables import inbox, issue_batch, ledger_entry, redemption, redemption_line
from cloud.domain.digits import digit_tagger
from cloud.domain.ledger import issue_journal
from tests.bench.deck import FACE_VALUE_TWD, ITEM
from tests.bench.fleet import digits_of
from tests.bench.measuring import WrongAnswerError
from tests.support.worlds import insert_item_categories, insert_journal, insert_programme, make_programme

PROGRAMME: Final = "bench"
FIRST_VOUCHER: Final = 100_000_000_000
_COLUMNS: Final = "voucher_no, programme_id, issue_id, position, holder_name_masked, holder_id_masked, digit_tag"
_BLOCK: Final = 5_000


def insert_scheme(connection: Connection, dates: tuple[date, date]) -> None:
    """Write the programme."""
    starts_on, ends_on = dates
    scheme = make_programme(PROGRAMME, starts_on=starts_on, ends_on=ends_on, face_value_twd=FACE_VALUE_TWD)
    assert ITEM in {item for _, item in scheme.item_categories}
    insert_item_categories(connection, scheme.item_categories)
    insert_programme(connection, scheme)


def add_vouchers(engine: Engine, pepper: bytes, count: int, *, already: int) -> int:
    """Issue vouchers behind those that there are ``already``; return the first number."""
    first, issue_id, now = FIRST_VOUCHER + already, UUID(int=0xBE << 64 | already), datetime.now(UTC)
    tag = digit_tagger(pepper)
    with engine.begin() as connection:
        batch = {
            "issue_id": issue_id,
            "programme_id": PROGRAMME,
            "issued_at": now,
            "issued_by": "bench",
            "voucher_count": count,
        }
        connection.execute(insert(issue_batch), batch)
        insert_journal(connection, issue_journal(issue_id, PROGRAMME, amount_twd=FACE_VALUE_TWD * count, at=now))
        numbers = (f"{number:012d}" for number in range(first, first + count))
        tags = ((number, tag(number, digits_of(number))) for number in numbers)
        write = _copy if engine.dialect.name == "postgresql" else _insert_many
        write(connection, issue_id, tags)
    return first


def check_books(engine: Engine, *, orders: int, vouchers: int) -> None:
    """Hold the database against what the kiosks were told.

    Raises:
        WrongAnswerError: an accepted order is missing, something was redeemed that nobody was told of, or the books are wrong.
    """
    with engine.connect() as connection:
        count = partial(_count, connection)
        found = count(redemption.c.redemption_id), count(redemption_line.c.voucher_no)
        if found != (orders, vouchers):
            raise WrongAnswerError(f"the kiosks were told of {(orders, vouchers)} orders and vouchers, written are {found}")
        sums = select(func.sum(ledger_entry.c.amount_twd).label("total")).group_by(
            ledger_entry.c.journal_id, ledger_entry.c.kind
        )
        summed = sums.subquery()
        if connection.scalar(select(func.count()).select_from(summed).where(summed.c.total != 0)):
            raise WrongAnswerError("a journal does not balance")
        redeemed = connection.scalar(
            select(func.sum(ledger_entry.c.amount_twd)).where(ledger_entry.c.kind == "redeem", ledger_entry.c.amount_twd > 0)
        )
        if (redeemed or 0) != vouchers * FACE_VALUE_TWD or count(inbox.c.request_id) < orders:
            raise WrongAnswerError("the ledger does not hold what was redeemed")


def _count(connection: Connection, column: Any) -> int:
    return connection.scalar(select(func.count(column))) or 0


def _copy(connection: Connection, issue_id: UUID, tags: Iterator[tuple[str, bytes]]) -> None:
    cursor = connection.connection.cursor()
    with cursor.copy(f"COPY voucher ({_COLUMNS}) FROM STDIN") as copy:  # type: ignore[attr-defined]
        lines: list[str] = []
        for place, (number, tag) in enumerate(tags, start=1):
            lines.append(f"{number}\t{PROGRAMME}\t{issue_id}\t{place}\t王○明\tA12345****\t\\\\x{tag.hex()}\n")
            if len(lines) == _BLOCK:
                copy.write("".join(lines))
                lines.clear()
        copy.write("".join(lines))


def _insert_many(connection: Connection, issue_id: UUID, tags: Iterator[tuple[str, bytes]]) -> None:
    rows = (
        (number, PROGRAMME, issue_id.hex, place, "王○明", "A12345****", tag)
        for place, (number, tag) in enumerate(tags, start=1)
    )
    cursor = connection.connection.cursor()
    cursor.executemany(f"INSERT INTO voucher ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)  # type: ignore[arg-type]
