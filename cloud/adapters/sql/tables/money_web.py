"""What people do about money on the pages: undo, dispute, prepare and release payouts, look after exceptions.

All of it is facts with a name and a time; the one exception is the bank's file that somebody looks at before it is taken over.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from cloud.adapters.sql.tables.base import Instant, Serial, metadata

confirmation_undo = Table(
    "confirmation_undo",
    metadata,
    Column("confirmation_no", BigInteger, primary_key=True, autoincrement=False, comment="no number is given twice"),
    Column("redemption_id", Uuid, nullable=False, index=True),
    Column("merchant_id", String(32), nullable=False),
    Column("confirmed_by", String(32), nullable=False),
    Column("confirmed_at", Instant, nullable=False),
    Column("undone_by", String(32), nullable=False),
    Column("undone_at", Instant, nullable=False),
    CheckConstraint("undone_at >= confirmed_at", name="afterwards"),
    comment="confirmations that were taken back before any settlement had seen them; without its row none can be deleted",
)

dispute = Table(
    "dispute",
    metadata,
    Column("redemption_id", Uuid, primary_key=True, comment="the primary key is the judge: a redemption is disputed once"),
    Column("merchant_id", String(32), nullable=False, index=True),
    Column("reason", String(200), nullable=False),
    Column("opened_by", String(32), nullable=False),
    Column("opened_at", Instant, nullable=False),
    comment="redemptions that their own merchant finds wrong; none is confirmed while it is open",
)

dispute_end = Table(
    "dispute_end",
    metadata,
    Column("redemption_id", ForeignKey("dispute.redemption_id"), primary_key=True, comment="a dispute ends once"),
    Column("outcome", String(16), nullable=False, comment="stands | set_aside | withdrawn"),
    Column("reason", String(200), nullable=False),
    Column("ended_by", String(32), nullable=False),
    Column("ended_at", Instant, nullable=False),
    CheckConstraint("outcome IN ('stands', 'set_aside', 'withdrawn')", name="outcome"),
    comment="what is set aside is never confirmed",
)

pay_run = Table(
    "pay_run",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("run_no", Integer, nullable=False, unique=True),
    Column("format", String(16), nullable=False, comment="ach_p01 | pain_001"),
    Column("prepared_by", ForeignKey("staff.staff_id"), nullable=False),
    Column("prepared_at", Instant, nullable=False),
    Column("line_count", Integer, nullable=False),
    Column("total_twd", BigInteger, nullable=False),
    UniqueConstraint("run_id", "prepared_by"),
    comment="payouts that one person has prepared; nothing of it is paid before another one releases it",
)

pay_run_line = Table(
    "pay_run_line",
    metadata,
    Column("run_id", ForeignKey("pay_run.run_id"), primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("claim_id", ForeignKey("claim.claim_id"), nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("amount_twd", BigInteger, nullable=False),
    Column("bank_code", String(7), nullable=False),
    Column("account_no", String(16), nullable=False),
    Column("account_name", Text, nullable=False),
    Column("payee_id", String(10), nullable=False),
    UniqueConstraint("run_id", "claim_id"),
    Index("ix_pay_run_line_claim_id_attempt", "claim_id", "attempt"),
    comment="what was seen when it was prepared; a payout must agree with it to the letter (a trigger)",
)

pay_run_end = Table(
    "pay_run_end",
    metadata,
    Column("run_id", Uuid, primary_key=True, comment="a run ends once"),
    Column("prepared_by", String(32), nullable=False),
    Column("outcome", String(16), nullable=False, comment="released | withdrawn"),
    Column("ended_by", ForeignKey("staff.staff_id"), nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("file_id", Uuid, unique=True, comment="the payout file that it releases; a file without one is refused (a trigger)"),
    ForeignKeyConstraint(["run_id", "prepared_by"], ["pay_run.run_id", "pay_run.prepared_by"]),
    CheckConstraint("outcome IN ('released', 'withdrawn')", name="outcome"),
    CheckConstraint("outcome <> 'released' OR ended_by <> prepared_by", name="two_people"),
    CheckConstraint("(outcome = 'released') = (file_id IS NOT NULL)", name="file"),
)

bank_return_draft = Table(
    "bank_return_draft",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("uploaded_by", String(32), nullable=False),
    Column("uploaded_at", Instant, nullable=False),
    Column("content", LargeBinary, nullable=False),
    comment="the bank's files that somebody looks at before they are taken over; gone afterwards",
)

case_event = Table(
    "case_event",
    metadata,
    Column("event_id", Serial, Identity(), primary_key=True),
    Column("case_kind", String(16), nullable=False, comment="see cloud.ports.cases.CaseKind"),
    Column("case_id", String(64), nullable=False),
    Column("verb", String(16), nullable=False, comment="take | leave | note | resolve"),
    Column("by_staff_id", String(32), nullable=False),
    Column("happened_at", Instant, nullable=False),
    Column("detail", String(200), nullable=False),
    Index("ix_case_event_case_kind_case_id", "case_kind", "case_id"),
    Index(
        "uq_case_event_resolve",
        "case_kind",
        "case_id",
        unique=True,
        sqlite_where=text("verb = 'resolve'"),
        postgresql_where=text("verb = 'resolve'"),
    ),
    comment="who looks after an exception, and what was said and done about it",
)
