"""The first schema: every table of ``cloud.adapters.sql.tables`` as of version 0.1, and the triggers that keep facts.

A fact is never changed: redemptions, their lines, ledger entries, confirmations, claims and their lines refuse UPDATE and
DELETE (on PostgreSQL also TRUNCATE) in the database itself, whoever asks. Not among them: ``inbox``, ``digit_try`` and
``voucher``, whose personal part is deleted when its retention time is over.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_FACTS = ("redemption", "redemption_line", "ledger_entry", "confirmation", "claim", "claim_line")


def upgrade() -> None:
    """Make every table, then guard the facts."""
    _make_tables()
    if op.get_bind().dialect.name == "postgresql":
        _guard_on_postgres()
    else:
        _guard_on_sqlite()


def _guard_on_postgres() -> None:
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% holds facts: they are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    for table in _FACTS:
        # Per statement, not per row: TRUNCATE has no rows, and an UPDATE that hits none is a mistake all the same.
        op.execute(
            f"CREATE TRIGGER {table}_keeps_facts BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _guard_on_sqlite() -> None:
    for table in _FACTS:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_keeps_facts_on_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} holds facts: they are never changed'); END"
            )


def downgrade() -> None:
    """Drop everything; triggers go with their tables."""
    op.drop_table("payout_outcome")
    op.drop_table("device_presence")
    op.drop_table("staff")
    op.drop_table("payout")
    op.drop_table("device")
    op.drop_table("claim_code")
    op.drop_table("site")
    op.drop_table("programme_merchant_category")
    op.drop_table("issue_batch")
    op.drop_table("claim")
    op.drop_table("bank_return")
    op.drop_table("voucher")
    op.drop_table("settlement")
    op.drop_table("redemption_line")
    op.drop_table("redemption")
    op.drop_table("programme")
    op.drop_table("payout_file")
    op.drop_table("parked_message")
    op.drop_table("merchant")
    op.drop_table("ledger_entry")
    op.drop_table("item_category")
    op.drop_table("inbox")
    op.drop_table("hold")
    op.drop_table("digit_try")
    op.drop_table("confirmation")
    op.drop_table("claim_line")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _make_tables() -> None:
    op.create_table(
        "claim_line",
        sa.Column(
            "redemption_id", sa.Uuid(), nullable=False, comment="the primary key is the judge: a redemption is claimed once"
        ),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("voucher_count", sa.SmallInteger(), nullable=False),
        sa.Column("amount_twd", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_claim_line")),
    )
    op.create_index(op.f("ix_claim_line_claim_id"), "claim_line", ["claim_id"], unique=False)
    op.create_table(
        "confirmation",
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("confirmed_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_confirmation")),
    )
    op.create_index(op.f("ix_confirmation_merchant_id"), "confirmation", ["merchant_id"], unique=False)
    op.create_table(
        "digit_try",
        sa.Column("voucher_no", sa.String(length=12), nullable=False),
        sa.Column("try_no", sa.SmallInteger(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("tried_at", _instant(), nullable=False),
        sa.CheckConstraint("try_no BETWEEN 1 AND 5", name=op.f("ck_digit_try_at_most_five")),
        sa.PrimaryKeyConstraint("voucher_no", "try_no", name=op.f("pk_digit_try")),
        comment="one row per wrong try; also for numbers that do not exist, so that answers do not tell them apart",
    )
    op.create_table(
        "hold",
        sa.Column("voucher_no", sa.String(length=12), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.String(length=32), nullable=False),
        sa.Column("expires_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("voucher_no", name=op.f("pk_hold")),
    )
    op.create_table(
        "inbox",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of type and body"),
        sa.Column("sequence", sa.BigInteger(), nullable=True, comment="of a kiosk's redeem request"),
        sa.Column(
            "link", sa.String(length=64), nullable=True, comment="hash of this request, which the next one names as previous"
        ),
        sa.Column("previous", sa.String(length=64), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=False, comment="the body that is sent, for ever the same"),
        sa.Column("answered_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("sender_id", "sequence", name=op.f("uq_inbox_sender_id_sequence")),
        comment="every request that was judged, with its one answer",
    )
    op.create_table(
        "item_category",
        sa.Column("item_category", sa.String(length=32), nullable=False),
        sa.Column("merchant_category", sa.String(length=32), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("name_ja", sa.Text(), nullable=False),
        sa.Column("name_ko", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("item_category", "merchant_category", name=op.f("pk_item_category")),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("journal_id", sa.Uuid(), nullable=False, comment="the fact that caused it: request, claim, payout …"),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="issue | redeem | claim | pay | paid | returned"),
        sa.Column("line_no", sa.SmallInteger(), nullable=False),
        sa.Column("account", sa.String(length=96), nullable=False),
        sa.Column(
            "amount_twd", sa.BigInteger(), nullable=False, comment="debit positive, credit negative; a journal sums to zero"
        ),
        sa.Column("posted_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "kind", "line_no", name=op.f("pk_ledger_entry")),
    )
    op.create_index(op.f("ix_ledger_entry_account"), "ledger_entry", ["account"], unique=False)
    op.create_table(
        "merchant",
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ubn", sa.String(length=8), nullable=False),
        sa.Column("merchant_category", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False, comment="approved | suspended"),
        sa.Column(
            "bank_code",
            sa.String(length=7),
            nullable=True,
            comment="bank and branch, seven digits; null until the merchant sets it (V-R19)",
        ),
        sa.Column("account_no", sa.String(length=16), nullable=True),
        sa.Column("account_name", sa.Text(), nullable=True),
        sa.Column(
            "payee_id",
            sa.String(length=10),
            nullable=True,
            comment="UBN or national ID of the account holder, compared by the bank (return code 05)",
        ),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_merchant")),
        sa.UniqueConstraint("ubn", name=op.f("uq_merchant_ubn")),
    )
    op.create_table(
        "parked_message",
        sa.Column("parked_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False),
        sa.Column("parked_at", _instant(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("payload_sha256", sa.LargeBinary(), nullable=False, comment="not the payload: it may hold anything"),
        sa.PrimaryKeyConstraint("parked_id", name=op.f("pk_parked_message")),
        comment="what could not be understood or proved, for a person to look at",
    )
    op.create_table(
        "payout_file",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("file_no", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False, comment="ach_p01 | pain_001"),
        sa.Column("made_at", _instant(), nullable=False),
        sa.Column("value_date", sa.Date(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("total_twd", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_payout_file")),
        sa.UniqueConstraint("file_no", name=op.f("uq_payout_file_file_no")),
    )
    op.create_table(
        "programme",
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("face_value_twd", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False, comment="first day, Asia/Taipei"),
        sa.Column("ends_on", sa.Date(), nullable=False, comment="last day, Asia/Taipei, inclusive"),
        sa.Column("vouchers_per_order_max", sa.SmallInteger(), nullable=False),
        sa.Column(
            "signing_key_id",
            sa.String(length=16),
            nullable=True,
            comment="key that signs its codes; null where codes are bare numbers",
        ),
        sa.CheckConstraint("ends_on >= starts_on", name=op.f("ck_programme_dates")),
        sa.CheckConstraint("face_value_twd > 0", name=op.f("ck_programme_face_value")),
        sa.PrimaryKeyConstraint("programme_id", name=op.f("pk_programme")),
    )
    op.create_table(
        "redemption",
        sa.Column("redemption_id", sa.Uuid(), nullable=False, comment="the id of the request that made it"),
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=True, comment="the kiosk, or null"),
        sa.Column("staff_id", sa.String(length=32), nullable=True, comment="the person who scanned, or null"),
        sa.Column("item_category", sa.String(length=32), nullable=False),
        sa.Column("order_total_twd", sa.Integer(), nullable=False),
        sa.Column("voucher_count", sa.SmallInteger(), nullable=False),
        sa.Column("redeemed_twd", sa.Integer(), nullable=False),
        sa.Column("topup_twd", sa.Integer(), nullable=False),
        sa.Column("redeemed_at", _instant(), nullable=False),
        sa.CheckConstraint("(device_id IS NULL) <> (staff_id IS NULL)", name=op.f("ck_redemption_one_sender")),
        sa.CheckConstraint(
            "voucher_count > 0 AND redeemed_twd > 0 AND order_total_twd > 0 AND topup_twd >= 0",
            name=op.f("ck_redemption_amounts"),
        ),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_redemption")),
    )
    op.create_index("ix_redemption_merchant_id_redeemed_at", "redemption", ["merchant_id", "redeemed_at"], unique=False)
    op.create_table(
        "redemption_line",
        sa.Column(
            "voucher_no",
            sa.String(length=12),
            nullable=False,
            comment="the primary key is the judge: a voucher is redeemed once",
        ),
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.SmallInteger(), nullable=False),
        sa.Column("face_value_twd", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("voucher_no", name=op.f("pk_redemption_line")),
    )
    op.create_index(op.f("ix_redemption_line_redemption_id"), "redemption_line", ["redemption_id"], unique=False)
    op.create_table(
        "settlement",
        sa.Column("period_starts_on", sa.Date(), nullable=False, comment="a Wednesday, Asia/Taipei"),
        sa.Column("closed_at", _instant(), nullable=False),
        sa.Column("claim_count", sa.Integer(), nullable=False),
        sa.Column("voucher_count", sa.Integer(), nullable=False),
        sa.Column("claimed_twd", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("period_starts_on", name=op.f("pk_settlement")),
    )
    op.create_table(
        "voucher",
        sa.Column("voucher_no", sa.String(length=12), nullable=False),
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column("issue_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="place in its batch, for the printed sheets"),
        sa.Column("holder_name_masked", sa.Text(), nullable=False),
        sa.Column("holder_id_masked", sa.Text(), nullable=False, comment="never the last four"),
        sa.Column("digit_tag", sa.LargeBinary(), nullable=False, comment="HMAC-SHA256 under the pepper, 32 bytes"),
        sa.PrimaryKeyConstraint("voucher_no", name=op.f("pk_voucher")),
    )
    op.create_index(op.f("ix_voucher_issue_id"), "voucher", ["issue_id"], unique=False)
    op.create_index(op.f("ix_voucher_programme_id"), "voucher", ["programme_id"], unique=False)
    op.create_table(
        "bank_return",
        sa.Column("sha256", sa.LargeBinary(), nullable=False, comment="the same file is imported once"),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("imported_at", _instant(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["payout_file.file_id"], name=op.f("fk_bank_return_file_id")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_bank_return")),
    )
    op.create_table(
        "claim",
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("period_starts_on", sa.Date(), nullable=False),
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column("redemption_count", sa.Integer(), nullable=False),
        sa.Column("voucher_count", sa.Integer(), nullable=False),
        sa.Column("amount_twd", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_twd > 0", name=op.f("ck_claim_amount")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_claim_merchant_id")),
        sa.ForeignKeyConstraint(["period_starts_on"], ["settlement.period_starts_on"], name=op.f("fk_claim_period_starts_on")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.programme_id"], name=op.f("fk_claim_programme_id")),
        sa.PrimaryKeyConstraint("claim_id", name=op.f("pk_claim")),
        sa.UniqueConstraint(
            "period_starts_on", "merchant_id", "programme_id", name=op.f("uq_claim_period_starts_on_merchant_id_programme_id")
        ),
    )
    op.create_table(
        "issue_batch",
        sa.Column("issue_id", sa.Uuid(), nullable=False),
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column("issued_at", _instant(), nullable=False),
        sa.Column("issued_by", sa.String(length=32), nullable=False),
        sa.Column("voucher_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.programme_id"], name=op.f("fk_issue_batch_programme_id")),
        sa.PrimaryKeyConstraint("issue_id", name=op.f("pk_issue_batch")),
    )
    op.create_table(
        "programme_merchant_category",
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column("merchant_category", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programme.programme_id"], name=op.f("fk_programme_merchant_category_programme_id")
        ),
        sa.PrimaryKeyConstraint("programme_id", "merchant_category", name=op.f("pk_programme_merchant_category")),
        comment="which merchants may take the programme's vouchers",
    )
    op.create_table(
        "site",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_site_merchant_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_site")),
    )
    op.create_index(op.f("ix_site_merchant_id"), "site", ["merchant_id"], unique=False)
    op.create_table(
        "claim_code",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the code; the code has 80 random bits"),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("made_at", _instant(), nullable=False),
        sa.Column("made_by", sa.String(length=32), nullable=False),
        sa.Column("expires_at", _instant(), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=True, comment="the device that used it; null while unused"),
        sa.ForeignKeyConstraint(["site_id"], ["site.site_id"], name=op.f("fk_claim_code_site_id")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_claim_code")),
        sa.UniqueConstraint("device_id", name=op.f("uq_claim_code_device_id")),
    )
    op.create_table(
        "device",
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False, comment="active | suspended | revoked"),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("seal_public", sa.LargeBinary(), nullable=False, comment="X25519, 32 bytes"),
        sa.Column("certificate_serial", sa.String(length=64), nullable=False),
        sa.Column("certificate_pem", sa.Text(), nullable=False),
        sa.Column("enrolled_at", _instant(), nullable=False),
        sa.Column("state_changed_at", _instant(), nullable=False),
        sa.Column("state_reason", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.site_id"], name=op.f("fk_device_site_id")),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_device")),
    )
    op.create_index(op.f("ix_device_site_id"), "device", ["site_id"], unique=False)
    op.create_table(
        "payout",
        sa.Column("payout_id", sa.Uuid(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False, comment="SEQ of the ACH record"),
        sa.Column("amount_twd", sa.BigInteger(), nullable=False),
        sa.Column("bank_code", sa.String(length=7), nullable=False),
        sa.Column("account_no", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.claim_id"], name=op.f("fk_payout_claim_id")),
        sa.ForeignKeyConstraint(["file_id"], ["payout_file.file_id"], name=op.f("fk_payout_file_id")),
        sa.PrimaryKeyConstraint("payout_id", name=op.f("pk_payout")),
        sa.UniqueConstraint("claim_id", "attempt", name=op.f("uq_payout_claim_id_attempt")),
        sa.UniqueConstraint("file_id", "line_no", name=op.f("uq_payout_file_id_line_no")),
    )
    op.create_index(op.f("ix_payout_file_id"), "payout", ["file_id"], unique=False)
    op.create_table(
        "staff",
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("merchant_id", sa.String(length=32), nullable=True, comment="null for the programme office"),
        sa.Column("site_id", sa.String(length=32), nullable=True, comment="where scan staff stand"),
        sa.Column(
            "door", sa.String(length=32), nullable=False, comment="which sign-in: a merchant category, scan, or office (V-E3)"
        ),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False, comment="merchant_admin | scan_staff | office"),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_staff_merchant_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.site_id"], name=op.f("fk_staff_site_id")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_staff")),
        sa.UniqueConstraint("door", "login", name=op.f("uq_staff_door_login")),
    )
    op.create_index(op.f("ix_staff_merchant_id"), "staff", ["merchant_id"], unique=False)
    op.create_table(
        "device_presence",
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False, comment="online | offline | lost"),
        sa.Column("seen_at", _instant(), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("pending", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.device_id"], name=op.f("fk_device_presence_device_id")),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_device_presence")),
    )
    op.create_table(
        "payout_outcome",
        sa.Column("payout_id", sa.Uuid(), nullable=False, comment="one outcome per payout"),
        sa.Column("state", sa.String(length=16), nullable=False, comment="paid | returned"),
        sa.Column("return_code", sa.String(length=2), nullable=True),
        sa.Column("known_at", _instant(), nullable=False),
        sa.Column("return_sha256", sa.LargeBinary(), nullable=False, comment="the bank file that said so"),
        sa.ForeignKeyConstraint(["payout_id"], ["payout.payout_id"], name=op.f("fk_payout_outcome_payout_id")),
        sa.PrimaryKeyConstraint("payout_id", name=op.f("pk_payout_outcome")),
    )
