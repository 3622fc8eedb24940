"""What was put right afterwards, and what is not paid because of it. See :mod:`cloud.domain.corrections`."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Integer, String, Table, Text

from cloud.adapters.sql.tables.base import Instant, metadata

correction = Table(
    "correction",
    metadata,
    Column(
        "redemption_id",
        ForeignKey("redemption.redemption_id"),
        primary_key=True,
        comment="the primary key is the judge: a redemption is corrected once",
    ),
    Column("merchant_id", String(32), nullable=False, comment="copied, as is the programme"),
    Column("programme_id", String(32), nullable=False),
    Column("amount_twd", Integer, nullable=False, comment="taken back from the merchant"),
    Column("reason", Text, nullable=False),
    Column("corrected_by", ForeignKey("staff.staff_id"), nullable=False),
    Column("corrected_at", Instant, nullable=False),
    CheckConstraint("amount_twd > 0", name="amount"),
    CheckConstraint("reason <> ''", name="reason"),
)

set_off = Table(
    "set_off",
    metadata,
    Column("claim_id", ForeignKey("claim.claim_id"), primary_key=True),
    Column("amount_twd", BigInteger, nullable=False, comment="of the claim, not paid because of corrections"),
    CheckConstraint("amount_twd > 0", name="amount"),
    comment="written with its claim, before the week is closed",
)
