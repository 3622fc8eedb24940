"""The programme office: versions of a programme's rules with budget and caps, issuing by draft and by draw, the audit log.

What a programme is when this revision comes is its first version, with no limits. Vouchers issued before have no row in
``voucher_holder``: whose they are is not known any more, so they count towards nobody's cap.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_FACTS = ("programme_version", "draw_suffix", "audit_entry")
_OF_HOLDERS = {
    "voucher_holder": """
        EXISTS (SELECT 1 FROM voucher WHERE voucher.voucher_no = OLD.voucher_no AND voucher.digit_tag IS NULL)
    """,
    "draw_win": """
        NOT EXISTS (
            SELECT 1 FROM voucher_holder JOIN voucher ON voucher.voucher_no = voucher_holder.voucher_no
            WHERE voucher_holder.holder_tag = OLD.holder_tag AND voucher_holder.programme_id = OLD.programme_id
            AND voucher.issue_id = OLD.issue_id
        )
    """,
}
"""Facts that are deleted with the holder, and when a row may be: once its voucher's holder is forgotten."""

_FIRST_VERSIONS = """
    INSERT INTO programme_version (
        programme_id, version_no, effective_at, changed_by, name_zh, name_en, face_value_twd, starts_on, ends_on,
        merchant_categories, vouchers_per_order_max, signing_key_id, dispute_days, offline_order_max_twd,
        offline_kiosk_max_twd, offline_age_max_h
    )
    SELECT programme_id, 1, {epoch}, 'cli', name_zh, name_en, face_value_twd, starts_on, ends_on,
           coalesce((
               SELECT {joined} FROM (
                   SELECT merchant_category FROM programme_merchant_category AS c
                   WHERE c.programme_id = programme.programme_id ORDER BY merchant_category
               ) AS sorted
           ), ''),
           vouchers_per_order_max, signing_key_id, dispute_days, 0, 0, 0
    FROM programme
"""


def upgrade() -> None:
    """Make the tables, guard what is a fact, make first versions."""
    _make_programme_version()
    _make_drafts()
    _make_draws()
    _make_audit_log()
    is_postgres = op.get_bind().dialect.name == "postgresql"
    epoch = "TIMESTAMPTZ '1970-01-01 00:00:00+00'" if is_postgres else "'1970-01-01 00:00:00.000000'"
    joined = "string_agg(merchant_category, ' ')" if is_postgres else "group_concat(merchant_category, ' ')"
    op.execute(_FIRST_VERSIONS.format(epoch=epoch, joined=joined))
    for table in _FACTS:
        _guard(table)
    for table, is_forgotten in _OF_HOLDERS.items():
        _guard_until_forgotten(table, is_forgotten)


def downgrade() -> None:
    """Drop the tables."""
    for table in ("issue_draft_line", "issue_draft", "audit_head", *_OF_HOLDERS, *_FACTS):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in _OF_HOLDERS:
            op.execute(f"DROP FUNCTION keep_{table}()")


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _voucher_no() -> sa.types.TypeEngine[str]:
    """As revision 0006 has them: indexes of other collations would not serve to find one by the other."""
    return sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql")


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


def _guard_until_forgotten(table: str, is_forgotten: str) -> None:
    says = f"{table} holds facts: they go with the voucher's holder"
    says = says.replace("'", "''")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_keeps_facts BEFORE UPDATE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"""
            CREATE FUNCTION keep_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF {is_forgotten} THEN RETURN OLD; END IF;
                RAISE EXCEPTION '{says}' USING ERRCODE = 'restrict_violation';
            END $$
            """
        )
        op.execute(
            f"CREATE TRIGGER {table}_keeps_holders BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION keep_{table}()"
        )
        return
    op.execute(
        f"CREATE TRIGGER {table}_keeps_facts_on_update BEFORE UPDATE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} holds facts: they are never changed'); END"
    )
    op.execute(
        f"CREATE TRIGGER {table}_keeps_facts_on_delete BEFORE DELETE ON {table} "
        f"WHEN NOT ({is_forgotten}) BEGIN SELECT RAISE(ABORT, '{says}'); END"
    )


def _make_programme_version() -> None:
    op.create_table(
        "programme_version",
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column("version_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("effective_at", _instant(), nullable=False, comment="from then on, until the next version"),
        sa.Column("changed_by", sa.String(length=32), nullable=False, comment="member of staff, or cli"),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("face_value_twd", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("merchant_categories", sa.Text(), nullable=False, comment="sorted, separated by blanks"),
        sa.Column("vouchers_per_order_max", sa.SmallInteger(), nullable=False),
        sa.Column("signing_key_id", sa.String(length=16), nullable=True),
        sa.Column(
            "dispute_days", sa.SmallInteger(), nullable=False, comment="after the last day; then its holders are forgotten"
        ),
        sa.Column(
            "budget_twd", sa.BigInteger(), nullable=True, comment="face value that may be issued at most; null: no limit"
        ),
        sa.Column("vouchers_per_holder_max", sa.SmallInteger(), nullable=True, comment="null: no limit"),
        sa.Column("offline_order_max_twd", sa.Integer(), nullable=False, comment="floor limit; 0: never offline"),
        sa.Column("offline_kiosk_max_twd", sa.Integer(), nullable=False),
        sa.Column("offline_age_max_h", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("budget_twd >= 0", name=op.f("ck_programme_version_budget")),
        sa.CheckConstraint("version_no > 0", name=op.f("ck_programme_version_version_no")),
        sa.CheckConstraint("vouchers_per_holder_max > 0", name=op.f("ck_programme_version_per_holder")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.programme_id"], name=op.f("fk_programme_version_programme_id")),
        sa.PrimaryKeyConstraint("programme_id", "version_no", name=op.f("pk_programme_version")),
        comment="every state that a programme's rules were in; the newest is the one that holds",
    )


def _make_drafts() -> None:
    op.create_table(
        "issue_draft",
        sa.Column("draft_id", sa.Uuid(), nullable=False, comment="the id of the issue that it becomes"),
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False, comment="list | draw"),
        sa.Column("suffixes", sa.Text(), nullable=False, comment="of a draw: last digits of IDs, separated by blanks"),
        sa.Column("made_at", _instant(), nullable=False),
        sa.Column("made_by", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False, comment="reading | ready | issued | discarded"),
        sa.Column("touched_at", _instant(), nullable=False, comment="when the state or the count last changed"),
        sa.Column("people_count", sa.Integer(), nullable=False, comment="on the list that was handed in"),
        sa.Column("read_count", sa.Integer(), nullable=False, comment="of these, looked at"),
        sa.Column("voucher_count", sa.Integer(), nullable=False, comment="of these, to get a voucher"),
        sa.Column("not_drawn_count", sa.Integer(), nullable=False),
        sa.Column("won_before_count", sa.Integer(), nullable=False),
        sa.Column("twice_count", sa.Integer(), nullable=False, comment="the same ID again in one draw"),
        sa.CheckConstraint("read_count <= people_count", name=op.f("ck_issue_draft_read")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.programme_id"], name=op.f("fk_issue_draft_programme_id")),
        sa.PrimaryKeyConstraint("draft_id", name=op.f("pk_issue_draft")),
        comment="vouchers that somebody looks at before they are issued",
    )
    op.create_table(
        "issue_draft_line",
        sa.Column("draft_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("voucher_no", _voucher_no(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False, comment="in the file that was handed in"),
        sa.Column("holder_name_masked", sa.Text(), nullable=False),
        sa.Column("holder_id_masked", sa.Text(), nullable=False, comment="never the last four"),
        sa.Column("digit_tag", sa.LargeBinary(), nullable=False, comment="HMAC-SHA256 under the pepper, 32 bytes"),
        sa.Column(
            "holder_tag",
            sa.LargeBinary(),
            nullable=True,
            comment="HMAC-SHA256 of programme and whole ID under the pepper; null: not known",
        ),
        sa.ForeignKeyConstraint(["draft_id"], ["issue_draft.draft_id"], name=op.f("fk_issue_draft_line_draft_id")),
        sa.PrimaryKeyConstraint("draft_id", "position", name=op.f("pk_issue_draft_line")),
        sa.UniqueConstraint("voucher_no", name=op.f("uq_issue_draft_line_voucher_no")),
        comment="moved to voucher when the draft is issued, gone when it is discarded",
    )
    op.create_index("ix_issue_draft_line_draft_id_holder_tag", "issue_draft_line", ["draft_id", "holder_tag"], unique=False)


def _make_draws() -> None:
    op.create_table(
        "voucher_holder",
        sa.Column("voucher_no", _voucher_no(), nullable=False),
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column(
            "holder_tag", sa.LargeBinary(), nullable=False, comment="the same for all vouchers of one person in one programme"
        ),
        sa.PrimaryKeyConstraint("voucher_no", name=op.f("pk_voucher_holder")),
        comment="which vouchers belong to the same person, without saying who that is",
    )
    op.create_index("ix_voucher_holder_holder_tag", "voucher_holder", ["holder_tag", "programme_id"], unique=False)
    op.create_table(
        "draw_suffix",
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column("suffix", sa.String(length=4), nullable=False),
        sa.Column("issue_id", sa.Uuid(), nullable=False),
        sa.Column("drawn_at", _instant(), nullable=False),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.programme_id"], name=op.f("fk_draw_suffix_programme_id")),
        sa.PrimaryKeyConstraint("programme_id", "suffix", name=op.f("pk_draw_suffix")),
        comment="last digits of IDs that were drawn; each once in a programme",
    )
    op.create_table(
        "draw_win",
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column("holder_tag", sa.LargeBinary(), nullable=False),
        sa.Column("issue_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.programme_id"], name=op.f("fk_draw_win_programme_id")),
        sa.PrimaryKeyConstraint("programme_id", "holder_tag", name=op.f("pk_draw_win")),
        comment="who won; the primary key is the judge: once over all draws of a programme",
    )
    op.create_index(op.f("ix_draw_win_issue_id"), "draw_win", ["issue_id"], unique=False)


def _make_audit_log() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("entry_no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("happened_at", _instant(), nullable=False),
        sa.Column("actor", sa.String(length=32), nullable=False, comment="member of staff, or cli, or schedule"),
        sa.Column("action", sa.String(length=48), nullable=False),
        sa.Column("object_kind", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.Column("before", sa.Text(), nullable=False, comment="JSON of what changed; no personal data"),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("entry_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 over all of the above"),
        sa.CheckConstraint("entry_no > 0", name=op.f("ck_audit_entry_entry_no")),
        sa.PrimaryKeyConstraint("entry_no", name=op.f("pk_audit_entry")),
        comment="what the office did, each entry bound to the one before (ADR 0026)",
    )
    op.create_index(op.f("ix_audit_entry_action"), "audit_entry", ["action"], unique=False)
    op.create_index(op.f("ix_audit_entry_actor"), "audit_entry", ["actor"], unique=False)
    op.create_index("ix_audit_entry_object_kind_object_id", "audit_entry", ["object_kind", "object_id"], unique=False)
    op.create_table(
        "audit_head",
        sa.Column("head_no", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_no", sa.BigInteger(), nullable=False),
        sa.Column("entry_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("head_no = 1", name=op.f("ck_audit_head_one")),
        sa.PrimaryKeyConstraint("head_no", name=op.f("pk_audit_head")),
        comment="number and hash of the newest entry: a log that was cut off at its end does not reach it",
    )
