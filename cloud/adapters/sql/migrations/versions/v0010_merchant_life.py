"""The life of a merchant: applications with papers, profiles, payout accounts, and the trail of what was done."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

_FACTS = ("merchant_event", "payout_account_change")
_STATES = "approved | suspended | terminated"
_STATES_BEFORE = "approved | suspended"


def upgrade() -> None:
    """Make the tables and guard the two trails."""
    _make_application()
    _make_papers()
    _make_profiles()
    _make_account_changes()
    _make_trail()
    for table in _FACTS:
        _guard(table)
    _comment_states(_STATES)


def downgrade() -> None:
    """Drop the tables; refused while somebody applies, or a merchant is in a state, that revision 0005 does not know."""
    staff, merchant = sa.table("staff", sa.column("role", sa.String)), sa.table("merchant", sa.column("state", sa.String))
    applicants = sa.select(sa.func.count()).select_from(staff).where(staff.c.role == "applicant")
    ended = sa.select(sa.func.count()).select_from(merchant).where(merchant.c.state == "terminated")
    if op.get_bind().scalar(applicants) or op.get_bind().scalar(ended):
        raise RuntimeError("there are applicants or terminated merchants, which revision 0005 does not know")
    for table in (
        "merchant_event",
        "payout_account_change",
        "merchant_profile",
        "application_paper",
        "application",
    ):
        op.drop_table(table)
    _comment_states(_STATES_BEFORE)


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _serial() -> sa.BigInteger:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _comment_states(comment: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("merchant", "state", existing_type=sa.String(16), existing_nullable=False, comment=comment)


def _guard(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_keeps_facts BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_keeps_facts_on_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} holds facts: they are never changed'); END"
        )


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _make_application() -> None:
    op.create_table(
        "application",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False, comment="whose application it is"),
        sa.Column("state", sa.String(length=16), nullable=False, comment="draft | submitted | returned | approved | rejected"),
        sa.Column(
            "version",
            sa.Integer(),
            nullable=False,
            comment="one more with every change: nobody decides on what they have not seen",
        ),
        sa.Column("merchant_category", sa.String(length=32), nullable=False),
        sa.Column("ubn", sa.String(length=8), nullable=False),
        sa.Column("sole_owner", sa.Boolean(), nullable=False),
        sa.Column("owner_id", sa.String(length=10), nullable=False, comment="of a sole owner; empty for a company"),
        *_texts("licence_no", "name_zh", "name_en", "address", "contact_name", "phone", "email"),
        sa.Column("made_at", _instant(), nullable=False),
        sa.Column("submitted_at", _instant()),
        sa.Column("decided_at", _instant()),
        sa.Column(
            "correct_by",
            sa.Date(),
            comment="last day, Asia/Taipei, on which a returned one may come back; later it is lapsed",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="of the last decision, as the business reads it"),
        sa.Column("merchant_id", sa.String(length=32), comment="the merchant that it became"),
        sa.CheckConstraint("(state = 'returned') = (correct_by IS NOT NULL)", name=op.f("ck_application_clock")),
        sa.CheckConstraint("(state = 'approved') = (merchant_id IS NOT NULL)", name=op.f("ck_application_merchant")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name=op.f("fk_application_staff_id")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_application_merchant_id")),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_application")),
        sa.UniqueConstraint("staff_id", name=op.f("uq_application_staff_id")),
        sa.UniqueConstraint("merchant_id", name=op.f("uq_application_merchant_id")),
    )
    op.create_index(op.f("ix_application_ubn"), "application", ["ubn"], unique=False)
    op.create_index("ix_application_state_submitted_at", "application", ["state", "submitted_at"], unique=False)


def _make_papers() -> None:
    op.create_table(
        "application_paper",
        sa.Column("paper_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("paper", sa.String(length=16), nullable=False, comment="registration | licence | other"),
        sa.Column("file_kind", sa.String(length=4), nullable=False, comment="pdf | jpg | png, by content"),
        sa.Column("file_name", sa.Text(), nullable=False, comment="as the business called it; shown, never used"),
        sa.Column("byte_count", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", _instant(), nullable=False),
        sa.Column("removed_at", _instant(), comment="taken back after a reviewer had seen it"),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.application_id"], name=op.f("fk_application_paper_application_id")
        ),
        sa.PrimaryKeyConstraint("paper_id", name=op.f("pk_application_paper")),
    )
    op.create_index(op.f("ix_application_paper_application_id"), "application_paper", ["application_id"], unique=False)


def _make_profiles() -> None:
    op.create_table(
        "merchant_profile",
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        sa.Column("owner_id", sa.String(length=10), nullable=False, comment="of a sole owner; empty for a company"),
        *_texts("name_en", "address", "contact_name", "phone", "email"),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_merchant_profile_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_merchant_profile")),
        comment="what a merchant keeps up to date itself (您的業者資料)",
    )


def _make_account_changes() -> None:
    op.create_table(
        "payout_account_change",
        sa.Column("change_id", _serial(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        sa.Column("changed_at", _instant(), nullable=False),
        sa.Column("by_staff_id", sa.String(length=32), nullable=False),
        sa.Column("bank_code", sa.String(length=7), nullable=False),
        sa.Column("account_no", sa.String(length=16), nullable=False),
        *_texts("account_name"),
        sa.Column("payee_id", sa.String(length=10), nullable=False),
        sa.Column("replaces", sa.Boolean(), nullable=False, comment="whether it took the place of another account"),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_payout_account_change_merchant_id")),
        sa.ForeignKeyConstraint(["by_staff_id"], ["staff.staff_id"], name=op.f("fk_payout_account_change_by_staff_id")),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_payout_account_change")),
        comment="every payout account that a merchant ever named; the newest stands in merchant, where payouts take it from",
    )
    op.create_index(op.f("ix_payout_account_change_merchant_id"), "payout_account_change", ["merchant_id"], unique=False)
    op.create_index(op.f("ix_payout_account_change_changed_at"), "payout_account_change", ["changed_at"], unique=False)


def _make_trail() -> None:
    op.create_table(
        "merchant_event",
        sa.Column("event_id", _serial(), sa.Identity(always=False), nullable=False),
        sa.Column("happened_at", _instant(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False, comment="see cloud.ports.merchants.MerchantEventKind"),
        sa.Column("application_id", sa.Uuid()),
        sa.Column("merchant_id", sa.String(length=32)),
        sa.Column("by_staff_id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="as the business reads it"),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_merchant_event")),
        comment="everything that was done to an application or a merchant, and by whom",
    )
    op.create_index(op.f("ix_merchant_event_application_id"), "merchant_event", ["application_id"], unique=False)
    op.create_index(op.f("ix_merchant_event_merchant_id"), "merchant_event", ["merchant_id"], unique=False)
