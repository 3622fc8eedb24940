"""Requests with their one answer, and what was redeemed by them."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    text,
)

from cloud.adapters.sql.tables.base import Instant, Serial, metadata, voucher_no_column

inbox = Table(
    "inbox",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("sender_id", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("body_hash", LargeBinary, nullable=False, comment="SHA-256 of type and body"),
    Column("sequence", BigInteger, comment="of a kiosk's redeem request"),
    Column("link", String(64), comment="hash of this request, which the next one names as previous"),
    Column("previous", String(64)),
    Column("answer", LargeBinary, nullable=False, comment="the body that is sent, for ever the same"),
    Column("answered_at", Instant, nullable=False),
    # The number of a kiosk's redeem request is given once. Checks have none, and cost nothing here.
    Index(
        "uq_inbox_sender_id_sequence",
        "sender_id",
        "sequence",
        unique=True,
        sqlite_where=text("sequence IS NOT NULL"),
        postgresql_where=text("sequence IS NOT NULL"),
    ),
    comment="every request that was judged, with its one answer",
)

redemption = Table(
    "redemption",
    metadata,
    Column("redemption_id", Uuid, primary_key=True, comment="the id of the request that made it"),
    Column("programme_id", String(32), nullable=False),
    Column("merchant_id", String(32), nullable=False),
    Column("site_id", String(32), nullable=False),
    Column("device_id", String(32), comment="the kiosk, or null"),
    Column("staff_id", String(32), comment="the person who scanned, or null"),
    Column("item_category", String(32), nullable=False),
    Column("order_total_twd", Integer, nullable=False),
    Column("voucher_count", SmallInteger, nullable=False),
    Column("redeemed_twd", Integer, nullable=False),
    Column("topup_twd", Integer, nullable=False),
    Column("redeemed_at", Instant, nullable=False),
    Column("voucher_nos", Text, nullable=False, server_default="", comment="copied from its lines, a space between two"),
    CheckConstraint("voucher_count > 0 AND redeemed_twd > 0 AND order_total_twd > 0 AND topup_twd >= 0", name="amounts"),
    CheckConstraint("(device_id IS NULL) <> (staff_id IS NULL)", name="one_sender"),
    Index("ix_redemption_merchant_id_redeemed_at", "merchant_id", "redeemed_at"),
)

redemption_line = Table(
    "redemption_line",
    metadata,
    voucher_no_column(primary_key=True, comment="the primary key is the judge: a voucher is redeemed once"),
    Column("redemption_id", Uuid, nullable=False),
    Column("line_no", SmallInteger, nullable=False),
    Column("face_value_twd", Integer, nullable=False),
)

parked_message = Table(
    "parked_message",
    metadata,
    Column("parked_id", Serial, Identity(), primary_key=True),
    Column("parked_at", Instant, nullable=False),
    Column("topic", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("payload_sha256", LargeBinary, nullable=False, comment="not the payload: it may hold anything"),
    comment="what could not be understood or proved, for a person to look at",
)
