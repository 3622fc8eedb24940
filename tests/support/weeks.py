"""A week of redemptions of any size, written by the database itself: for benchmarks and kills, where rows are what is wanted.

Only what comes after the hot path is written: merchants, redemptions, confirmations. There are no vouchers and no journals of
redemptions, so these books are not whole; what a settlement reads is. :func:`complete_books` adds the rest.
"""

from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Engine, Uuid, func, insert, literal, select, text

from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import Instant, redemption
from cloud.domain.calendar import Period
from cloud.services.confirm import confirm
from cloud.services.settle import settle_due
from tests.support.setups import PROGRAMME_ID, load_example

WEEK: Final = Period(date(2026, 11, 4))
FACE_VALUE_TWD: Final = 1_000

_EARLIER: Final = UUID(int=1 << 120)
_EARLIER_AT: Final = WEEK.starts_at - timedelta(days=1)

_SERIES = {
    "postgresql": "SELECT n FROM generate_series(1, :rows) AS n",
    "sqlite": "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < :rows) SELECT n FROM series",
}
_ID = {"postgresql": "lpad(to_hex(n), 32, '0')::uuid", "sqlite": "printf('%032x', n)"}
_AT = {
    "postgresql": "CAST(:starts_at AS timestamptz) + n * interval '1 second' * (604000.0 * :weeks / :rows)",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', :starts_at, '+' || (n * 604000.0 * :weeks / :rows) || ' seconds') || '000'",
}

_NUMBERS = {
    "postgresql": "(SELECT string_agg(lpad((n * 4 + k)::text, 12, '0'), ' ') FROM generate_series(0, n % 4) AS k)",
    "sqlite": "''",
}
"""Only PostgreSQL's books are ever completed."""

_HOT_PATH = (
    """
    INSERT INTO redemption_line (voucher_no, redemption_id, line_no, face_value_twd)
    SELECT voucher_no, redemption_id, line_no, :face
    FROM redemption
    CROSS JOIN LATERAL unnest(string_to_array(voucher_nos, ' ')) WITH ORDINALITY AS line (voucher_no, line_no)
    """,
    """
    INSERT INTO issue_batch (issue_id, programme_id, issued_at, issued_by, voucher_count)
    SELECT lpad('1', 32, '0')::uuid, :programme, :at, 'office', count(*) FROM redemption_line
    """,
    """
    INSERT INTO voucher (voucher_no, programme_id, issue_id, position, holder_name_masked, holder_id_masked, digit_tag)
    SELECT voucher_no, :programme, lpad('1', 32, '0')::uuid, row_number() OVER (), 'A', 'B', decode(repeat('00', 32), 'hex')
    FROM redemption_line
    """,
    """
    INSERT INTO ledger_entry (journal_id, kind, line_no, account, amount_twd, posted_at)
    SELECT issue_id, 'issue', line_no, 'programme\\:' || programme_id || account,
           sign::bigint * :face * voucher_count, issued_at
    FROM issue_batch CROSS JOIN (VALUES (1, '\\:entitlement', 1), (2, '\\:outstanding', -1)) AS posting (line_no, account, sign)
    """,
    """
    INSERT INTO ledger_entry (journal_id, kind, line_no, account, amount_twd, posted_at)
    SELECT redemption_id, 'redeem', line_no, account, amount_twd, redeemed_at
    FROM redemption CROSS JOIN LATERAL (
        VALUES (1, 'programme\\:' || programme_id || '\\:outstanding', redeemed_twd),
               (2, 'merchant\\:' || merchant_id || '\\:redeemed', -redeemed_twd)
    ) AS posting (line_no, account, amount_twd)
    """,
    """
    INSERT INTO inbox (request_id, sender_id, kind, body_hash, sequence, link, previous, answer, answered_at)
    SELECT redemption_id, sender_id, 'redeem', '', sequence, md5(sender_id || sequence) || md5(''),
           CASE sequence WHEN 1 THEN repeat('0', 64) ELSE md5(sender_id || sequence - 1) || md5('') END, '', redeemed_at
    FROM (
        SELECT redemption_id, redeemed_at, 'kiosk-' || site AS sender_id,
               row_number() OVER (PARTITION BY site ORDER BY redeemed_at, redemption_id) AS sequence
        FROM (SELECT *, abs(hashtext(merchant_id)) % 1000 AS site FROM redemption) AS placed
    ) AS numbered
    """,
)


def fill_week(engine: Engine, *, redemptions: int, merchants: int, weeks: int = 1) -> None:
    """Write redemptions, spread evenly over merchants and days from :data:`WEEK` on; nothing is confirmed."""
    load_example(engine)
    kind = engine.dialect.name
    rows = {"rows": redemptions, "merchants": merchants, "programme": PROGRAMME_ID, "face": FACE_VALUE_TWD, "weeks": weeks}
    starts_at = WEEK.starts_at if kind == "postgresql" else f"{WEEK.starts_at:%Y-%m-%d %H:%M:%S}"
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO merchant (merchant_id, name, ubn, merchant_category, state) "
                "SELECT 'm-' || n, 'Merchant', CAST(20000000 + n AS varchar(8)), 'hotel', 'approved' "
                f"FROM ({_SERIES[kind]}) AS numbers"
            ),
            {"rows": merchants},
        )
        connection.execute(
            text(
                "INSERT INTO redemption (redemption_id, programme_id, merchant_id, site_id, device_id, item_category, "
                "order_total_twd, voucher_count, redeemed_twd, topup_twd, redeemed_at, voucher_nos) "
                f"SELECT {_ID[kind]}, :programme, 'm-' || (1 + n % :merchants), 'site', 'kiosk', 'room', "
                f":face * (1 + n % 4), 1 + n % 4, :face * (1 + n % 4), 0, {_AT[kind]}, {_NUMBERS[kind]} "
                f"FROM ({_SERIES[kind]}) AS numbers"
            ),
            rows | {"starts_at": starts_at},
        )


def close_week_before(engine: Engine) -> None:
    """Let one more redemption be of the week before, and close that one: only the first settlement ever has none before it."""
    # The same vouchers cannot be redeemed again: all of theirs begin with a 0.
    others = literal("9") + func.substr(func.replace(redemption.c.voucher_nos, " 0", " 9"), 2)
    changed = {
        "redemption_id": literal(_EARLIER, Uuid()),
        "redeemed_at": literal(_EARLIER_AT, Instant()),
        "voucher_nos": others,
    }
    names = [column.name for column in redemption.columns]
    with engine.begin() as connection:
        copied = select(*(changed.get(name, redemption.c[name]) for name in names)).limit(1)
        connection.execute(insert(redemption).from_select(names, copied))
        its_merchant = select(redemption.c.merchant_id).where(redemption.c.redemption_id == _EARLIER)
        merchant_id: str = connection.execute(its_merchant).scalar_one()
    confirm(SqlConfirmationStore(engine), [_EARLIER], merchant_id=merchant_id, staff_id="boan-admin", now=_EARLIER_AT)
    settle_due(SqlSettlementStore(engine), now=WEEK.starts_at)


def confirm_week(engine: Engine) -> None:
    """Confirm every redemption that is there and waits, in one statement, as the merchants' daily confirmations leave it."""
    with engine.begin() as connection:
        _confirm(connection)


def complete_books(engine: Engine) -> None:
    """Add what the hot path would have left of the redemptions that are there (PostgreSQL): the books are whole then."""
    with engine.begin() as connection:
        for statement in _HOT_PATH:
            connection.execute(text(statement), {"programme": PROGRAMME_ID, "face": FACE_VALUE_TWD, "at": WEEK.starts_at})


def tidy(engine: Engine) -> None:
    """Leave the tables as autovacuum leaves a table that has been at rest, so that no round pays for it."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE"))


def _confirm(connection: Connection) -> None:
    at = WEEK.ends_at - timedelta(hours=1)
    columns = "redemption_id, merchant_id, staff_id, confirmed_at, programme_id, voucher_count, amount_twd, redeemed_at"
    values = "redemption_id, merchant_id, 'boan-admin', :at, programme_id, voucher_count, redeemed_twd, redeemed_at"
    if connection.dialect.name == "sqlite":
        columns, values = (
            columns + ", confirmation_no",
            values
            + ", row_number() OVER (ORDER BY redemption_id) + (SELECT coalesce(max(confirmation_no), 0) FROM confirmation)",
        )
    waiting = "WHERE redemption_id NOT IN (SELECT redemption_id FROM confirmation)"
    shown = at if connection.dialect.name == "postgresql" else f"{at:%Y-%m-%d %H:%M:%S}.000000"
    connection.execute(text(f"INSERT INTO confirmation ({columns}) SELECT {values} FROM redemption {waiting}"), {"at": shown})
