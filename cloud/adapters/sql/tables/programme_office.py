"""What the programme office decided and did: versions of rules, vouchers about to be issued, draws, the audit log."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
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

programme_version = Table(
    "programme_version",
    metadata,
    Column("programme_id", ForeignKey("programme.programme_id"), primary_key=True),
    Column("version_no", Integer, primary_key=True, autoincrement=False),
    Column("effective_at", Instant, nullable=False, comment="from then on, until the next version"),
    Column("changed_by", String(32), nullable=False, comment="member of staff, or cli"),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("face_value_twd", Integer, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("merchant_categories", Text, nullable=False, comment="sorted, separated by blanks"),
    Column("vouchers_per_order_max", SmallInteger, nullable=False),
    Column("signing_key_id", String(16)),
    Column("dispute_days", SmallInteger, nullable=False, comment="after the last day; then its holders are forgotten"),
    Column("budget_twd", BigInteger, comment="face value that may be issued at most; null: no limit"),
    Column("vouchers_per_holder_max", SmallInteger, comment="null: no limit"),
    Column("offline_order_max_twd", Integer, nullable=False, comment="floor limit; 0: never offline"),
    Column("offline_kiosk_max_twd", Integer, nullable=False),
    Column("offline_age_max_h", SmallInteger, nullable=False),
    CheckConstraint("version_no > 0", name="version_no"),
    CheckConstraint("budget_twd >= 0", name="budget"),
    CheckConstraint("vouchers_per_holder_max > 0", name="per_holder"),
    comment="every state that a programme's rules were in; the newest is the one that holds",
)

issue_draft = Table(
    "issue_draft",
    metadata,
    Column("draft_id", Uuid, primary_key=True, comment="the id of the issue that it becomes"),
    Column("programme_id", ForeignKey("programme.programme_id"), nullable=False),
    Column("kind", String(8), nullable=False, comment="list | draw"),
    Column("suffixes", Text, nullable=False, comment="of a draw: last digits of IDs, separated by blanks"),
    Column("made_at", Instant, nullable=False),
    Column("made_by", String(32), nullable=False),
    Column("state", String(16), nullable=False, comment="reading | ready | issued | discarded"),
    Column("touched_at", Instant, nullable=False, comment="when the state or the count last changed"),
    Column("people_count", Integer, nullable=False, comment="on the list that was handed in"),
    Column("read_count", Integer, nullable=False, comment="of these, looked at"),
    Column("voucher_count", Integer, nullable=False, comment="of these, to get a voucher"),
    Column("not_drawn_count", Integer, nullable=False),
    Column("won_before_count", Integer, nullable=False),
    Column("twice_count", Integer, nullable=False, comment="the same ID again in one draw"),
    CheckConstraint("read_count <= people_count", name="read"),
    comment="vouchers that somebody looks at before they are issued",
)

issue_draft_line = Table(
    "issue_draft_line",
    metadata,
    Column("draft_id", ForeignKey("issue_draft.draft_id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    voucher_no_column(nullable=False, unique=True),
    Column("line_no", Integer, nullable=False, comment="in the file that was handed in"),
    Column("holder_name_masked", Text, nullable=False),
    Column("holder_id_masked", Text, nullable=False, comment="never the last four"),
    Column("digit_tag", LargeBinary, nullable=False, comment="HMAC-SHA256 under the pepper, 32 bytes"),
    Column("holder_tag", LargeBinary, comment="HMAC-SHA256 of programme and whole ID under the pepper; null: not known"),
    Index("ix_issue_draft_line_draft_id_holder_tag", "draft_id", "holder_tag"),
    comment="moved to voucher when the draft is issued, gone when it is discarded",
)

voucher_holder = Table(
    "voucher_holder",
    metadata,
    voucher_no_column(primary_key=True),
    Column("programme_id", String(32), nullable=False),
    Column("holder_tag", LargeBinary, nullable=False, comment="the same for all vouchers of one person in one programme"),
    Index("ix_voucher_holder_holder_tag", "holder_tag", "programme_id"),
    comment="which vouchers belong to the same person, without saying who that is",
)

draw_suffix = Table(
    "draw_suffix",
    metadata,
    Column("programme_id", ForeignKey("programme.programme_id"), primary_key=True),
    Column("suffix", String(4), primary_key=True),
    Column("issue_id", Uuid, nullable=False),
    Column("drawn_at", Instant, nullable=False),
    comment="last digits of IDs that were drawn; each once in a programme",
)

draw_win = Table(
    "draw_win",
    metadata,
    Column("programme_id", String(32), primary_key=True),
    Column("holder_tag", LargeBinary, primary_key=True),
    Column("issue_id", Uuid, nullable=False, index=True),
    ForeignKeyConstraint(["programme_id"], ["programme.programme_id"]),
    comment="who won; the primary key is the judge: once over all draws of a programme",
)

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("entry_no", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("happened_at", Instant, nullable=False),
    Column("actor", String(32), nullable=False, index=True, comment="member of staff, or cli, or schedule"),
    Column("action", String(48), nullable=False, index=True),
    Column("object_kind", String(32), nullable=False),
    Column("object_id", String(64), nullable=False),
    Column("before", Text, nullable=False, comment="JSON of what changed; no personal data"),
    Column("after", Text, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("entry_hash", LargeBinary, nullable=False, comment="SHA-256 over all of the above"),
    Index("ix_audit_entry_object_kind_object_id", "object_kind", "object_id"),
    CheckConstraint("entry_no > 0", name="entry_no"),
    comment="what the office did, each entry bound to the one before (ADR 0026)",
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("head_no", SmallInteger, primary_key=True, autoincrement=False),
    Column("entry_no", BigInteger, nullable=False),
    Column("entry_hash", LargeBinary, nullable=False),
    CheckConstraint("head_no = 1", name="one"),
    comment="number and hash of the newest entry: a log that was cut off at its end does not reach it",
)
