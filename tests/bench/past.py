"""A programme's past of any size, made by PostgreSQL itself: what stands in the tables when so many vouchers have been issued.

Of every ten vouchers four are used, in orders of one to four; each was checked before, one in a hundred was typed wrong once.
Numbers are random, as issued ones are, and so is which vouchers come together. Four of ten are left for orders that are to be
measured: :func:`unused_numbers`.

Indexes are there from the start and grow with the rows, so that their pages are as full as those of a table that has lived.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from cloud.adapters.ingest_stores import make_ingest_store
from cloud.adapters.postgres_ingest import PostgresIngestStore
from tests.support.worlds import PEPPER, Shop, insert_item_categories, insert_programme, make_programme

PROGRAMME: Final = make_programme(starts_on=date(2026, 8, 1), ends_on=date(2027, 1, 31))
NOW: Final = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
SHOPS: Final = tuple(Shop(f"hotel-{number:04d}") for number in range(1_000))
UNUSED_SHARE: Final = 0.4
_MET_AT_RANDOM: Final = ("digit_try", "pk_digit_try", "pk_redemption_line", "voucher", "pk_voucher")
_PAGES_AT_ONCE: Final = 10_000
_ISSUE: Final = UUID(int=0x1550E << 64)
_SHOP: Final = "'hotel-' || lpad(({number})::text, 4, '0')"

_SHOPS: Final = (
    "CREATE TEMP TABLE shop AS SELECT " + _SHOP.format(number="n") + " AS id, n FROM generate_series(0, :shops - 1) AS n",
    """
    INSERT INTO merchant (merchant_id, name, ubn, merchant_category, state)
    SELECT id, id, lpad(n::text, 8, '0'), 'hotel', 'approved' FROM shop
    """,
    "INSERT INTO site (site_id, merchant_id, name) SELECT id || '-lobby', id, id || ' 大廳' FROM shop",
    """
    INSERT INTO device (device_id, site_id, state, serial, seal_public, certificate_serial, certificate_pem, enrolled_at,
                        state_changed_at)
    SELECT id || '-kiosk', id || '-lobby', 'active', id, decode(repeat('00', 32), 'hex'), n::text, '', :now, :now FROM shop
    """,
)
_VOUCHERS: Final = (
    """
    INSERT INTO issue_batch (issue_id, programme_id, issued_at, issued_by, voucher_count)
    VALUES (:issue, :programme, :now, 'office', :vouchers)
    """,
    # HMAC-SHA256 as cloud.domain.digits makes it, of the last four figures of the number. Two in a trillion numbers may meet.
    """
    INSERT INTO voucher (voucher_no, programme_id, issue_id, position, holder_name_masked, holder_id_masked, digit_tag)
    SELECT no, :programme, CAST(:issue AS uuid), place, '王●●', 'A●●●●●●●●●',
           sha256(:outer || sha256(:inner || convert_to(no, 'UTF8') || '\\x00' || convert_to(right(no, 4), 'UTF8')))
    FROM (
        SELECT place, lpad((('x' || substr(md5(place::text), 1, 15))::bit(60)::bigint % 1000000000000)::text, 12, '0') AS no
        FROM generate_series(1, CAST(:vouchers AS bigint)) AS place
    ) AS made
    ON CONFLICT DO NOTHING
    """,
)
_ORDERS: Final = (
    """
    CREATE TEMP TABLE line AS
    SELECT voucher_no, place, place / 10 * 4 + (ARRAY[0,1,1,2,2,2,3,3,3,3])[place % 10 + 1] AS order_no,
           (ARRAY[1,1,2,1,2,3,1,2,3,4])[place % 10 + 1] AS line_no
    FROM (
        SELECT voucher_no, row_number() OVER (ORDER BY md5(voucher_no)) - 1 AS place FROM voucher WHERE position % 10 < 4
    ) AS used
    """,
    """
    CREATE TEMP TABLE past AS
    SELECT order_no, at, vouchers, voucher_nos, """
    + _SHOP.format(number="order_no % :shops")
    + """ AS shop, order_no / :shops + 1 AS sequence,
           (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(order_no::text), 1, 3)
            || '8' || substr(md5(order_no::text), 4, 15))::uuid AS request_id
    FROM (
        SELECT order_no, count(*) AS vouchers, string_agg(voucher_no, ' ' ORDER BY line_no) AS voucher_nos,
               CAST(:now AS timestamptz) - interval '90 days' * (1 - order_no / (1.0 + max(order_no) OVER ())) AS at
        FROM line GROUP BY order_no
    ) AS ordered
    """,
    """
    INSERT INTO inbox (request_id, sender_id, kind, body_hash, sequence, link, previous, answer, answered_at)
    SELECT * FROM (
        SELECT request_id, shop || '-kiosk', 'redeem', sha256(request_id::text::bytea), sequence,
               encode(sha256(('l' || request_id)::bytea), 'hex'), encode(sha256(('p' || request_id)::bytea), 'hex'),
               convert_to(repeat('a', 210), 'UTF8'), at
        FROM past
        UNION ALL
        SELECT (substr(request_id::text, 1, 14) || '7' || substr(md5(voucher_no), 1, 3) || '-8'
                || substr(md5(voucher_no), 4, 15))::uuid,
               shop || '-kiosk', 'check', sha256(voucher_no::bytea), NULL, NULL, NULL, convert_to(repeat('a', 190), 'UTF8'),
               at - interval '30 s'
        FROM line JOIN past USING (order_no)
    ) AS asked ORDER BY 1
    """,
    """
    INSERT INTO redemption (redemption_id, programme_id, merchant_id, site_id, device_id, item_category, order_total_twd,
                            voucher_count, redeemed_twd, topup_twd, redeemed_at, voucher_nos)
    SELECT request_id, :programme, shop, shop || '-lobby', shop || '-kiosk', 'room', vouchers * 1000 + 50, vouchers,
           vouchers * 1000, 50, at, voucher_nos
    FROM past ORDER BY at
    """,
    """
    INSERT INTO redemption_line (voucher_no, redemption_id, line_no, face_value_twd)
    SELECT voucher_no, request_id, line_no, 1000 FROM line JOIN past USING (order_no) ORDER BY at
    """,
    """
    INSERT INTO ledger_entry (journal_id, kind, line_no, account, amount_twd, posted_at)
    SELECT request_id, 'redeem', side,
           CASE side WHEN 1 THEN 'programme:' || :programme || '\\:outstanding' ELSE 'merchant:' || shop || '\\:redeemed' END,
           vouchers * CASE side WHEN 1 THEN 1000 ELSE -1000 END, at
    FROM past CROSS JOIN generate_series(1, 2) AS side ORDER BY at, side
    """,
    """
    INSERT INTO digit_try (voucher_no, try_no, request_id, tried_at)
    SELECT voucher_no, 1, request_id, at FROM line JOIN past USING (order_no) WHERE place % 100 = 0 ORDER BY at
    """,
)


def fill(engine: Engine, vouchers: int) -> None:
    """Write a past into a migrated, empty database, and tidy it up as autovacuum would."""
    outer, inner = (bytes(byte ^ mask for byte in PEPPER.ljust(64, b"\0")) for mask in (0x5C, 0x36))
    values = {
        "now": NOW,
        "programme": PROGRAMME.programme_id,
        "issue": _ISSUE,
        "vouchers": vouchers,
        "shops": len(SHOPS),
        "outer": outer,
        "inner": inner,
    }
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL work_mem = '512MB'")
        insert_item_categories(connection, PROGRAMME.item_categories)
        insert_programme(connection, PROGRAMME)
        for statement in (*_SHOPS, *_VOUCHERS, *_ORDERS):
            wanted = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), wanted)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE)")
        connection.exec_driver_sql("CHECKPOINT")


def ingest_store(engine: Engine) -> PostgresIngestStore:
    """The hot path's store of this database."""
    store = make_ingest_store(engine)
    assert isinstance(store, PostgresIngestStore)
    return store


def read_pages(store: PostgresIngestStore) -> None:
    """Bring what orders meet at random into the server's memory, over the connection that the store uses next."""
    with store._connections.borrow() as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        for name in _MET_AT_RANDOM:
            pages = connection.execute("SELECT pg_relation_size(%s::regclass) / 8192", [name]).fetchall()[0][0]
            # In pieces: this connection does not wait long for an answer, and a cold disk takes its time.
            for first in range(0, pages, _PAGES_AT_ONCE):
                last = min(pages, first + _PAGES_AT_ONCE) - 1
                connection.execute("SELECT pg_prewarm(%s::regclass, 'buffer', 'main', %s, %s)", [name, first, last])
        connection.commit()


def unused_numbers(connection: Connection, count: int) -> Sequence[str]:
    """Return numbers of vouchers that are left for orders, in no order."""
    left = text(
        """
        SELECT voucher_no FROM voucher LEFT JOIN redemption_line USING (voucher_no)
        WHERE position % 10 > 5 AND redemption_line.voucher_no IS NULL
        ORDER BY md5(voucher_no || 'left') LIMIT :count
        """
    )
    return connection.scalars(left, {"count": count}).all()
