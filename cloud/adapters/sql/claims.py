"""The claims and journals of one settlement, made by the database from one pass over the confirmations.

The pass fills a temporary table, because PostgreSQL takes several processes for ``CREATE TABLE … AS`` and only one for
``INSERT … SELECT``. What a journal of a claim posts is asked from :func:`cloud.domain.ledger.claim_journal` once and said in
SQL for all: an account's name is the text around the merchant, an amount is a multiple of the claim's.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Executable,
    Insert,
    SmallInteger,
    String,
    Uuid,
    case,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    table,
    text,
    union_all,
)

from cloud.adapters.sql.tables import Instant, claim, confirmation, ledger_entry
from cloud.domain.calendar import Period
from cloud.domain.ledger import claim_journal
from cloud.domain.settlement import CLAIM_IDS, Settlement, claim_id_of, claim_name

_MERCHANT: Final = "\x1f"
_PROGRAMME: Final = "\x1e"
"""Stand for ids where a name is cut into what is around them; no id has them."""

_SUMMED: Final = ("redemption_count", "voucher_count", "amount_twd")

_due: Final = table(
    "due_claim",
    column("claim_id", Uuid),
    column("merchant_id", String),
    column("programme_id", String),
    column("redemption_count", BigInteger),
    column("voucher_count", BigInteger),
    column("amount_twd", BigInteger),
)


class NewClaims:
    """The claims of one week that is being closed, in an open transaction."""

    def __init__(self, connection: Connection, period: Period) -> None:
        self._connection = connection
        self._period = period

    def add_up(self, which: ColumnElement[bool], closed_at: datetime) -> Settlement:
        """Sum confirmations per merchant and programme, in one pass; nothing is written yet."""
        pair = (confirmation.c.merchant_id, confirmation.c.programme_id)
        sums = (
            select(
                self._claim_id().label("claim_id"),
                *pair,
                func.count().label("redemption_count"),
                func.sum(confirmation.c.voucher_count).label("voucher_count"),
                func.sum(confirmation.c.amount_twd).label("amount_twd"),
            )
            .where(which)
            .group_by(*pair)
        )
        self._connection.execute(sums.into(_due.name, temporary=True))
        totals = select(func.count(), *(func.sum(_due.c[name]) for name in _SUMMED)).select_from(_due)
        return Settlement(self._period, closed_at, *_one(self._connection, totals))

    def write(self, closed: Settlement) -> None:
        """Write the claims and their journals, and add up what was written.

        Raises:
            RuntimeError: the sums are not those of what was claimed, or the journals are out of balance.
        """
        period_starts_on = literal(self._period.starts_on, claim.c.period_starts_on.type)
        rows = select(*_due.c, period_starts_on).order_by(_due.c.claim_id)
        adding = insert(claim).from_select([*_due.c.keys(), "period_starts_on"], rows)
        claims = self._add(adding, [claim.c[name] for name in _SUMMED])
        if claims != [closed.claim_count, closed.redemption_count, closed.voucher_count, closed.claimed_twd]:
            raise RuntimeError("the claims of a settlement are not what was added up")
        self._post(closed)
        self._connection.execute(text(f"DROP TABLE {_due.name}"))

    def _post(self, closed: Settlement) -> None:
        lines = [
            select(
                _due.c.claim_id,
                literal(pattern.kind, String),
                literal(line_no, SmallInteger).label("line_no"),
                _named(posting.account),
                _due.c.amount_twd * posting.amount_twd,
                literal(pattern.posted_at, Instant),
            )
            for pattern in [claim_journal(UUID(int=0), _MERCHANT, amount_twd=1, at=closed.closed_at)]
            for line_no, posting in enumerate(pattern.postings, start=1)
        ]
        columns = ["journal_id", "kind", "line_no", "account", "amount_twd", "posted_at"]
        adding = insert(ledger_entry).from_select(columns, union_all(*lines).order_by("claim_id", "line_no"))
        amount = ledger_entry.c.amount_twd
        posted = self._add(adding, [amount, case((amount > 0, amount), else_=0)])
        if posted != [len(lines) * closed.claim_count, 0, closed.claimed_twd]:
            raise RuntimeError("the journals of a settlement are not over its claims")

    def _add(self, adding: Insert, summed: Sequence[ColumnElement[Any]]) -> list[int]:
        """Insert; return how many rows that were and the sums of some of what they hold."""
        columns = [one.label(f"summed_{number}") for number, one in enumerate(summed)]
        if self._connection.dialect.name == "sqlite":
            rows = self._connection.execute(adding.returning(*columns)).all()
            return [len(rows), *(sum(row[place] for row in rows) for place in range(len(columns)))]
        added = adding.returning(*columns).cte("added")
        return _one(self._connection, select(func.count(), *(func.sum(one) for one in added.c)))

    def _claim_id(self) -> ColumnElement[Any]:
        """:func:`cloud.domain.settlement.claim_id_of` in the words of the database."""
        pair = (confirmation.c.merchant_id, confirmation.c.programme_id)
        if self._connection.dialect.name == "sqlite":
            driver: Any = self._connection.connection.driver_connection
            driver.create_function("claim_id_of", 2, self._claim_hex, deterministic=True)
            return func.claim_id_of(*pair, type_=Uuid())
        before, between, after = claim_name(self._period, _MERCHANT, _PROGRAMME).replace(_PROGRAMME, _MERCHANT).split(_MERCHANT)
        name = func.convert_to(literal(before, String) + pair[0] + literal(between) + pair[1] + literal(after), "UTF8")
        digest = func.md5(func.decode(CLAIM_IDS.hex, "hex").op("||")(name))
        variant = func.translate(func.substr(digest, 17, 1), "0123456789abcdef", "89ab" * 4)
        return cast(func.overlay(func.overlay(digest, "3", 13), variant, 17), Uuid)

    def _claim_hex(self, merchant_id: str, programme_id: str) -> str:
        return claim_id_of(self._period, merchant_id, programme_id).hex


def _named(account: str) -> ColumnElement[str]:
    before, after = account.split(_MERCHANT)
    return literal(before, String) + _due.c.merchant_id + literal(after, String)


def _one(connection: Connection, sums: Executable) -> list[int]:
    return [int(value or 0) for value in connection.execute(sums).one()]
