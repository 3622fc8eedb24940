"""All tables of the cloud, for SQLite and PostgreSQL alike.

Three habits, everywhere:

* **Constraints judge.** That a voucher is used once is the primary key of ``redemption_line``; that a request has one answer
  is the primary key of ``inbox``; that a wrong try is counted is the primary key of ``digit_try``. No code decides it.
* **Facts are appended.** Vouchers, redemptions, confirmations, claims, ledger entries and answers are never updated. What
  changes (a hold, a device's or payout's state) is a row of its own.
* **Money is whole TWD in an integer; time is an aware UTC instant.**

No digit of an ID is in any column: ``digit_tag`` is an HMAC under a pepper that is not in this database.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    column,
    event,
    table,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant: ``timestamptz`` on PostgreSQL, sortable UTC text on SQLite. Naive times are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone is not an instant")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy calls it so
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_Serial = BigInteger().with_variant(Integer, "sqlite")


def _voucher_no(**kwargs: Any) -> Column[str]:
    return Column("voucher_no", String(12), **kwargs)


programme = Table(
    "programme",
    metadata,
    Column("programme_id", String(32), primary_key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("face_value_twd", Integer, nullable=False),
    Column("starts_on", Date, nullable=False, comment="first day, Asia/Taipei"),
    Column("ends_on", Date, nullable=False, comment="last day, Asia/Taipei, inclusive"),
    Column("vouchers_per_order_max", SmallInteger, nullable=False),
    Column("signing_key_id", String(16), comment="key that signs its codes; null where codes are bare numbers"),
    CheckConstraint("face_value_twd > 0", name="face_value"),
    CheckConstraint("ends_on >= starts_on", name="dates"),
)

programme_merchant_category = Table(
    "programme_merchant_category",
    metadata,
    Column("programme_id", ForeignKey("programme.programme_id"), primary_key=True),
    Column("merchant_category", String(32), primary_key=True),
    comment="which merchants may take the programme's vouchers",
)

item_category = Table(
    "item_category",
    metadata,
    Column("item_category", String(32), primary_key=True),
    Column("merchant_category", String(32), primary_key=True),
    Column("position", SmallInteger, nullable=False),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("name_ja", Text, nullable=False),
    Column("name_ko", Text, nullable=False),
)

merchant = Table(
    "merchant",
    metadata,
    Column("merchant_id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("ubn", String(8), nullable=False, unique=True),
    Column("merchant_category", String(32), nullable=False),
    Column("state", String(16), nullable=False, comment="approved | suspended"),
    Column("bank_code", String(7), comment="bank and branch, seven digits; null until the merchant sets it (V-R19)"),
    Column("account_no", String(16)),
    Column("account_name", Text),
    Column("payee_id", String(10), comment="UBN or national ID of the account holder, compared by the bank (return code 05)"),
)

site = Table(
    "site",
    metadata,
    Column("site_id", String(32), primary_key=True),
    Column("merchant_id", ForeignKey("merchant.merchant_id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
)

staff = Table(
    "staff",
    metadata,
    Column("staff_id", String(32), primary_key=True),
    Column("merchant_id", ForeignKey("merchant.merchant_id"), index=True, comment="null for the programme office"),
    Column("site_id", ForeignKey("site.site_id"), comment="where scan staff stand"),
    Column("door", String(32), nullable=False, comment="which sign-in: a merchant category, scan, or office (V-E3)"),
    Column("login", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False, comment="see cloud.ports.people.Role"),
    Column("password_hash", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    UniqueConstraint("door", "login"),
)

web_session = Table(
    "web_session",
    metadata,
    Column(
        "session_hash", LargeBinary, primary_key=True, comment="SHA-256 of the id in the cookie; the id has 256 random bits"
    ),
    Column("staff_id", ForeignKey("staff.staff_id"), nullable=False, index=True),
    Column("opened_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False, index=True),
    Column("address", String(45), nullable=False),
    Column("agent", String(200), nullable=False, comment="what the browser calls itself, for its owner to recognise"),
    comment="browsers that are signed in; without its row a cookie is nothing",
)

second_factor = Table(
    "second_factor",
    metadata,
    Column("staff_id", ForeignKey("staff.staff_id"), primary_key=True),
    Column("totp_secret", Text, nullable=False, comment="encrypted under a key that is not in this database"),
    Column("totp_counter", BigInteger, nullable=False, comment="time step of the last code: no code is good twice"),
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("staff_id", ForeignKey("staff.staff_id"), primary_key=True),
    Column("position", SmallInteger, primary_key=True),
    Column("code", Text, nullable=False, comment="encrypted under a key that is not in this database"),
)

passkey = Table(
    "passkey",
    metadata,
    Column("credential_id", LargeBinary, primary_key=True),
    Column("staff_id", ForeignKey("staff.staff_id"), nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("usage", String(16), nullable=False, comment="first: instead of the password | secondary: after it"),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("transports", String(100), nullable=False),
    Column("device_type", String(16), nullable=False),
    Column("backed_up", Boolean, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("used_at", Instant, nullable=False),
)

account_event = Table(
    "account_event",
    metadata,
    Column("event_id", _Serial, Identity(), primary_key=True),
    Column("happened_at", Instant, nullable=False),
    Column("kind", String(32), nullable=False, comment="see cloud.ports.accounts.EventKind"),
    Column("staff_id", String(32), index=True, comment="whose account; null where nobody has such a login"),
    Column("by_staff_id", String(32), comment="who did it, where it was somebody else"),
    Column("door", String(32), nullable=False),
    Column("address", String(45), nullable=False),
    Column("detail", String(200), nullable=False),
    comment="every sign-in, refusal and change of an account; never what was typed",
)

door = Table(
    "door",
    metadata,
    Column("door", String(32), primary_key=True, comment="winners | shops | merchants"),
    Column("opens_on", Date, comment="first day, Asia/Taipei; null: open from the start"),
    Column("closes_on", Date, comment="last day, inclusive; null: for good"),
    CheckConstraint("closes_on >= opens_on", name="dates"),
    comment="doors of the public home that open on a day (V-E2)",
)

device = Table(
    "device",
    metadata,
    Column("device_id", String(32), primary_key=True),
    Column("site_id", ForeignKey("site.site_id"), nullable=False, index=True),
    Column("state", String(16), nullable=False, comment="active | suspended | revoked"),
    Column("serial", String(64), nullable=False),
    Column("seal_public", LargeBinary, nullable=False, comment="X25519, 32 bytes"),
    Column("certificate_serial", String(64), nullable=False),
    Column("certificate_pem", Text, nullable=False),
    Column("enrolled_at", Instant, nullable=False),
    Column("state_changed_at", Instant, nullable=False),
    Column("state_reason", Text, nullable=False, server_default=""),
)

device_presence = Table(
    "device_presence",
    metadata,
    Column("device_id", ForeignKey("device.device_id"), primary_key=True),
    Column("state", String(16), nullable=False, comment="online | offline | lost"),
    Column("seen_at", Instant, nullable=False),
    Column("version", String(32), nullable=False),
    Column("pending", Integer, nullable=False),
)

claim_code = Table(
    "claim_code",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True, comment="SHA-256 of the code; the code has 80 random bits"),
    Column("site_id", ForeignKey("site.site_id"), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("made_by", String(32), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("device_id", String(32), unique=True, comment="the device that used it; null while unused"),
)

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
    _voucher_no(primary_key=True),
    Column("programme_id", String(32), nullable=False, index=True),
    Column("issue_id", Uuid, nullable=False, index=True),
    Column("position", Integer, nullable=False, comment="place in its batch, for the printed sheets"),
    Column("holder_name_masked", Text, nullable=False),
    Column("holder_id_masked", Text, nullable=False, comment="never the last four"),
    Column("digit_tag", LargeBinary, nullable=False, comment="HMAC-SHA256 under the pepper, 32 bytes"),
)

digit_try = Table(
    "digit_try",
    metadata,
    _voucher_no(primary_key=True),
    Column("try_no", SmallInteger, primary_key=True),
    Column("request_id", Uuid, nullable=False),
    Column("tried_at", Instant, nullable=False),
    CheckConstraint("try_no BETWEEN 1 AND 5", name="at_most_five"),
    comment="one row per wrong try; also for numbers that do not exist, so that answers do not tell them apart",
)

hold = Table(
    "hold",
    metadata,
    _voucher_no(primary_key=True),
    Column("visit_id", Uuid, nullable=False),
    Column("sender_id", String(32), nullable=False),
    Column("expires_at", Instant, nullable=False),
)

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
    UniqueConstraint("sender_id", "sequence"),
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
    CheckConstraint("voucher_count > 0 AND redeemed_twd > 0 AND order_total_twd > 0 AND topup_twd >= 0", name="amounts"),
    CheckConstraint("(device_id IS NULL) <> (staff_id IS NULL)", name="one_sender"),
    Index("ix_redemption_merchant_id_redeemed_at", "merchant_id", "redeemed_at"),
)

redemption_line = Table(
    "redemption_line",
    metadata,
    _voucher_no(primary_key=True, comment="the primary key is the judge: a voucher is redeemed once"),
    Column("redemption_id", Uuid, nullable=False, index=True),
    Column("line_no", SmallInteger, nullable=False),
    Column("face_value_twd", Integer, nullable=False),
)

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
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("journal_id", Uuid, primary_key=True, comment="the fact that caused it: request, claim, payout …"),
    Column("kind", String(16), primary_key=True, comment="issue | redeem | claim | pay | paid | returned"),
    Column("line_no", SmallInteger, primary_key=True),
    Column("account", String(96), nullable=False, index=True),
    Column("amount_twd", BigInteger, nullable=False, comment="debit positive, credit negative; a journal sums to zero"),
    Column("posted_at", Instant, nullable=False),
)

parked_message = Table(
    "parked_message",
    metadata,
    Column("parked_id", _Serial, Identity(), primary_key=True),
    Column("parked_at", Instant, nullable=False),
    Column("topic", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("payload_sha256", LargeBinary, nullable=False, comment="not the payload: it may hold anything"),
    comment="what could not be understood or proved, for a person to look at",
)
