"""Corrections as facts of their own, and what of a claim is not paid because of them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = ("correction", "set_off")
_KINDS = "see cloud.domain.ledger"
_KINDS_BEFORE = "issue | redeem | claim | pay | paid | returned"


def upgrade() -> None:
    """Make the tables and guard them."""
    op.create_table(
        "correction",
        sa.Column(
            "redemption_id",
            sa.Uuid(),
            nullable=False,
            comment="the primary key is the judge: a redemption is corrected once",
        ),
        sa.Column("merchant_id", sa.String(length=32), nullable=False, comment="copied, as is the programme"),
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column("amount_twd", sa.Integer(), nullable=False, comment="taken back from the merchant"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("corrected_by", sa.String(length=32), nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_twd > 0", name=op.f("ck_correction_amount")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_correction_reason")),
        sa.ForeignKeyConstraint(["redemption_id"], ["redemption.redemption_id"], name=op.f("fk_correction_redemption_id")),
        sa.ForeignKeyConstraint(["corrected_by"], ["staff.staff_id"], name=op.f("fk_correction_corrected_by")),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_correction")),
    )
    op.create_table(
        "set_off",
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("amount_twd", sa.BigInteger(), nullable=False, comment="of the claim, not paid because of corrections"),
        sa.CheckConstraint("amount_twd > 0", name=op.f("ck_set_off_amount")),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.claim_id"], name=op.f("fk_set_off_claim_id")),
        sa.PrimaryKeyConstraint("claim_id", name=op.f("pk_set_off")),
        comment="written with its claim, before the week is closed",
    )
    for table in _TABLES:
        _guard(table)
    _judge_set_offs()
    _tell_kinds(_KINDS)


def downgrade() -> None:
    """Drop the tables; refused while something is corrected: the ledger would say what nothing bears out."""
    correction = sa.table("correction")
    if op.get_bind().scalar(sa.select(sa.func.count()).select_from(correction)):
        raise RuntimeError("correction holds rows that revision 0007 has no room for")
    for table in reversed(_TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION judge_set_offs()")
    _tell_kinds(_KINDS_BEFORE)


def _tell_kinds(comment: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("ledger_entry", "kind", existing_type=sa.String(16), existing_nullable=False, comment=comment)


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


def _judge_set_offs() -> None:
    """What a closed week pays is closed, too."""
    sealed = "SELECT 1 FROM claim JOIN settlement_range ON settlement_range.period_starts_on = claim.period_starts_on"
    if op.get_bind().dialect.name != "postgresql":
        op.execute(
            f"CREATE TRIGGER set_off_is_judged BEFORE INSERT ON set_off WHEN EXISTS ({sealed} "
            "WHERE claim.claim_id = NEW.claim_id) BEGIN SELECT RAISE(ABORT, 'set_off: its week is closed'); END"
        )
        return
    op.execute(
        f"""
        CREATE FUNCTION judge_set_offs() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS ({sealed} WHERE claim.claim_id IN (SELECT claim_id FROM added)) THEN
                RAISE EXCEPTION 'set_off: its week is closed' USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NULL;
        END $$
        """  # noqa: S608 - words of ours
    )
    op.execute(
        "CREATE TRIGGER set_off_is_judged AFTER INSERT ON set_off REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION judge_set_offs()"
    )
