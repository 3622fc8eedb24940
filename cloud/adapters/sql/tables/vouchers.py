"""Vouchers and what holds them back before they are redeemed."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
)

from cloud.adapters.sql.tables.base import Instant, metadata, voucher_no_column

issue_batch = Table(
    "issue_batch",
    metadata,
    Column("issue_id", Uuid, primary_key=True),
    Column("programme_id", ForeignKey("programme.programme_id"), nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("issued_by", String(32), nullable=False),
    Column("voucher_count", Integer, nullable=False),
)

voucher = Table(
    "voucher",
    metadata,
    voucher_no_column(primary_key=True),
    Column("programme_id", String(32), nullable=False),
    Column("issue_id", Uuid, nullable=False),
    Column("position", Integer, nullable=False, comment="place in its batch, for the printed sheets"),
    Column("holder_name_masked", Text, comment="this and what follows is null once the holder is forgotten"),
    Column("holder_id_masked", Text, comment="never the last four"),
    Column("digit_tag", LargeBinary, comment="HMAC-SHA256 under the pepper, 32 bytes"),
    Index("ix_voucher_issue_id_position", "issue_id", "position"),
)

issue_purge = Table(
    "issue_purge",
    metadata,
    Column("issue_id", Uuid, primary_key=True),
    Column("purged_at", Instant, nullable=False),
    comment="issues of whose holders nothing is known any more",
)

digit_try = Table(
    "digit_try",
    metadata,
    voucher_no_column(primary_key=True),
    Column("try_no", SmallInteger, primary_key=True),
    Column("request_id", Uuid, nullable=False),
    Column("tried_at", Instant, nullable=False),
    CheckConstraint("try_no BETWEEN 1 AND 5", name="at_most_five"),
    comment="one row per wrong try; also for numbers that do not exist, so that answers do not tell them apart",
)

hold = Table(
    "hold",
    metadata,
    voucher_no_column(primary_key=True),
    Column("visit_id", Uuid, nullable=False),
    Column("sender_id", String(32), nullable=False),
    Column("expires_at", Instant, nullable=False),
)
