"""From a confirmed redemption to the merchant's bank account."""

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    column,
    event,
    table,
    text,
)

from cloud.adapters.sql.tables.base import Instant, metadata

confirmation = Table(
    "confirmation",
    metadata,
    # What has one width comes first, and what a settlement does not read last: its one pass takes a tenth less time.
    Column("redemption_id", Uuid, primary_key=True, comment="the primary key is the judge: a redemption is confirmed once"),
    Column(
        "confirmation_no", BigInteger, Identity(always=True), nullable=False, unique=True, comment="settlements take ranges"
    ),
    Column("redeemed_at", Instant, nullable=False, comment="copied, as are amount, vouchers and programme"),
    Column("confirmed_at", Instant, nullable=False),
    Column("amount_twd", Integer, nullable=False),
    Column("voucher_count", SmallInteger, nullable=False),
    Column("merchant_id", String(32), nullable=False),
    Column("programme_id", String(32), nullable=False),
    Column("staff_id", String(32), nullable=False),
    Index("ix_confirmation_merchant_id_confirmation_no", "merchant_id", "confirmation_no"),
    # For the few that a late settlement finds redeemed after its week; a block range index costs a confirmation nothing.
    Index(
        "ix_confirmation_redeemed_at",
        "redeemed_at",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    ).ddl_if(dialect="postgresql"),
    comment="it copies from its redemption what a claim sums, so that a settlement reads nothing else",
)

settlement = Table(
    "settlement",
    metadata,
    Column("period_starts_on", Date, primary_key=True, comment="a Wednesday, Asia/Taipei"),
    Column("closed_at", Instant, nullable=False),
    Column("claim_count", Integer, nullable=False),
    Column("voucher_count", Integer, nullable=False),
    Column("claimed_twd", BigInteger, nullable=False),
)

settlement_range = Table(
    "settlement_range",
    metadata,
    Column("period_starts_on", ForeignKey("settlement.period_starts_on"), primary_key=True),
    Column("previous_starts_on", Date, unique=True, comment="the settlement before; null for the first of all"),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("after_no", BigInteger, nullable=False, comment="the last confirmation that the settlement before had seen"),
    Column("through_no", BigInteger, nullable=False, index=True, comment="the last confirmation that this one has seen"),
    Column("open_from_no", BigInteger, nullable=False, comment="every confirmation before this one is in a claim"),
    UniqueConstraint("period_starts_on", "ends_at", "through_no"),
    ForeignKeyConstraint(
        ["previous_starts_on", "starts_at", "after_no"],
        ["settlement_range.period_starts_on", "settlement_range.ends_at", "settlement_range.through_no"],
    ),
    CheckConstraint("previous_starts_on < period_starts_on AND starts_at < ends_at", name="forward"),
    CheckConstraint("0 <= after_no AND after_no <= through_no AND open_from_no <= through_no + 1", name="numbers"),
    CheckConstraint("previous_starts_on IS NOT NULL OR after_no = 0", name="first"),
    Index(
        "uq_settlement_range_first",
        "after_no",
        unique=True,
        sqlite_where=text("previous_starts_on IS NULL"),
        postgresql_where=text("previous_starts_on IS NULL"),
    ),
    comment="one chain: each begins where the one before ended, so that no confirmation is in two",
)

claim = Table(
    "claim",
    metadata,
    Column("claim_id", Uuid, primary_key=True),
    Column("period_starts_on", Date, nullable=False),
    Column("merchant_id", String(32), nullable=False),
    Column("programme_id", String(32), nullable=False),
    Column("redemption_count", Integer, nullable=False),
    Column("voucher_count", Integer, nullable=False),
    Column("amount_twd", BigInteger, nullable=False),
    UniqueConstraint("period_starts_on", "merchant_id", "programme_id"),
    CheckConstraint("amount_twd > 0", name="amount"),
    # On PostgreSQL a trigger looks all claims of a settlement up at once; a foreign key does it row by row, three times.
    ForeignKeyConstraint(["period_starts_on"], ["settlement.period_starts_on"]).ddl_if(dialect="sqlite"),
    ForeignKeyConstraint(["merchant_id"], ["merchant.merchant_id"]).ddl_if(dialect="sqlite"),
    ForeignKeyConstraint(["programme_id"], ["programme.programme_id"]).ddl_if(dialect="sqlite"),
)

claim_line = table(
    "claim_line",
    column("redemption_id", Uuid),
    column("claim_id", Uuid),
    column("voucher_count", SmallInteger),
    column("amount_twd", Integer),
)
"""A view: which claim a confirmed redemption is in. It follows from facts that nobody can change, so it is stored nowhere.

A settlement has seen the confirmations up to ``through_no`` and claims those redeemed before ``ends_at``, except what the one
before it had claimed by the same rule. The chain of :data:`settlement_range` makes that one claim at most per redemption.
"""

CLAIM_LINE_VIEW = """
    CREATE VIEW claim_line AS
    SELECT confirmation.redemption_id, claim.claim_id, confirmation.voucher_count, confirmation.amount_twd
    FROM confirmation
    JOIN settlement_range
      ON confirmation.confirmation_no <= settlement_range.through_no
     AND confirmation.redeemed_at < settlement_range.ends_at
     AND (confirmation.confirmation_no > settlement_range.after_no OR confirmation.redeemed_at >= settlement_range.starts_at)
    JOIN claim
      ON claim.period_starts_on = settlement_range.period_starts_on
     AND claim.merchant_id = confirmation.merchant_id
     AND claim.programme_id = confirmation.programme_id
"""
event.listen(metadata, "after_create", DDL(CLAIM_LINE_VIEW))  # type: ignore[no-untyped-call]
event.listen(metadata, "before_drop", DDL("DROP VIEW IF EXISTS claim_line"))  # type: ignore[no-untyped-call]

payout_file = Table(
    "payout_file",
    metadata,
    Column("file_id", Uuid, primary_key=True),
    Column("file_no", Integer, nullable=False, unique=True),
    Column("format", String(16), nullable=False, comment="ach_p01 | pain_001"),
    Column("made_at", Instant, nullable=False),
    Column("value_date", Date, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("line_count", Integer, nullable=False),
    Column("total_twd", BigInteger, nullable=False),
)

payout = Table(
    "payout",
    metadata,
    Column("payout_id", Uuid, primary_key=True),
    Column("claim_id", ForeignKey("claim.claim_id"), nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("file_id", ForeignKey("payout_file.file_id"), nullable=False, index=True),
    Column("line_no", Integer, nullable=False, comment="SEQ of the ACH record"),
    Column("amount_twd", BigInteger, nullable=False),
    Column("bank_code", String(7), nullable=False),
    Column("account_no", String(16), nullable=False),
    UniqueConstraint("claim_id", "attempt"),
    UniqueConstraint("file_id", "line_no"),
)

payout_outcome = Table(
    "payout_outcome",
    metadata,
    Column("payout_id", ForeignKey("payout.payout_id"), primary_key=True, comment="one outcome per payout"),
    Column("state", String(16), nullable=False, comment="paid | returned"),
    Column("return_code", String(4)),
    Column("known_at", Instant, nullable=False),
    Column("return_sha256", LargeBinary, nullable=False, comment="the bank file that said so"),
)

bank_return = Table(
    "bank_return",
    metadata,
    Column("sha256", LargeBinary, primary_key=True, comment="the same file is imported once"),
    Column("file_id", ForeignKey("payout_file.file_id"), nullable=False),
    Column("imported_at", Instant, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("imported_by", String(32), comment="null: before it was noted"),
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("journal_id", Uuid, primary_key=True, comment="the fact that caused it: request, claim, payout …"),
    Column("kind", String(16), primary_key=True, comment="see cloud.domain.ledger"),
    Column("line_no", SmallInteger, primary_key=True),
    Column("account", String(96), nullable=False),
    Column("amount_twd", BigInteger, nullable=False, comment="debit positive, credit negative; a journal sums to zero"),
    Column("posted_at", Instant, nullable=False),
)
