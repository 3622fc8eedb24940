"""What people do about money on the pages: undo, disputes, pay runs of two people, the bank's drafts, exceptions.

New guards, on both databases:

* A confirmation may be deleted if no settlement has seen its number and a row of ``confirmation_undo`` keeps what it said. On
  PostgreSQL whoever deletes shares the lock that a settlement takes alone, as whoever confirms does.
* A redemption that is disputed, or set aside, is not confirmed.
* A payout file is refused unless a pay run was released as this file, by another person than the one who prepared it; a payout
  is refused unless that run has the same line: claim, attempt, amount and account.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_FACTS = ("confirmation_undo", "dispute", "dispute_end", "pay_run", "pay_run_line", "pay_run_end", "case_event")
_SEEN = "confirmation: a settlement has already seen this number"
_KEEPS = "confirmation holds facts: they are never changed, and deleted only where confirmation_undo keeps them"
_BLOCKED = "confirmation: this redemption is disputed"
_UNRELEASED = "payout_file: nobody has released it"
_UNLIKE = "payout: it is not what was released"

# ruff: noqa: S608 - what is put into these statements are sentences and names of ours


def upgrade() -> None:
    """Make the tables and their guards."""
    _make_undo()
    _make_disputes()
    _make_pay_runs()
    _make_drafts()
    _make_cases()
    is_postgres = op.get_bind().dialect.name == "postgresql"
    with op.batch_alter_table("bank_return", recreate="never" if is_postgres else "always") as batch:
        batch.add_column(sa.Column("imported_by", sa.String(length=32), nullable=True, comment="null: before it was noted"))
    for table in _FACTS:
        _guard(table)
    if is_postgres:
        _judge_on_postgres()
    else:
        _judge_on_sqlite()


def downgrade() -> None:
    """Drop everything; what was undone, disputed or released is forgotten."""
    if op.get_bind().dialect.name == "postgresql":
        for table, trigger in (
            ("confirmation", "confirmation_shares_lock_to_undo"),
            ("confirmation", "confirmation_is_undone"),
            ("confirmation", "confirmation_is_undisputed"),
            ("payout_file", "payout_file_is_released"),
            ("payout", "payout_is_released"),
            ("confirmation", "confirmation_keeps_facts"),
        ):
            op.execute(f"DROP TRIGGER {trigger} ON {table}")
        for function in ("judge_undo", "refuse_disputed", "judge_payout_file", "judge_payouts"):
            op.execute(f"DROP FUNCTION {function}()")
        _guard("confirmation")
    else:
        for trigger in (
            "confirmation_keeps_facts_on_delete",
            "confirmation_is_undisputed",
            "payout_file_is_released",
            "payout_is_released",
        ):
            op.execute(f"DROP TRIGGER {trigger}")
        _guard_delete_on_sqlite("confirmation")
    with op.batch_alter_table("bank_return") as batch:
        batch.drop_column("imported_by")
    for table in ("case_event", "bank_return_draft", "pay_run_end", "pay_run_line", "pay_run", "dispute_end", "dispute"):
        op.drop_table(table)
    op.drop_table("confirmation_undo")


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _person(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length=32), nullable=False)


def _make_undo() -> None:
    op.create_table(
        "confirmation_undo",
        sa.Column("confirmation_no", sa.BigInteger(), autoincrement=False, nullable=False, comment="no number is given twice"),
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        _person("confirmed_by"),
        sa.Column("confirmed_at", _instant(), nullable=False),
        _person("undone_by"),
        sa.Column("undone_at", _instant(), nullable=False),
        sa.CheckConstraint("undone_at >= confirmed_at", name=op.f("ck_confirmation_undo_afterwards")),
        sa.PrimaryKeyConstraint("confirmation_no", name=op.f("pk_confirmation_undo")),
        comment="confirmations that were taken back before any settlement had seen them; without its row none can be deleted",
    )
    op.create_index(op.f("ix_confirmation_undo_redemption_id"), "confirmation_undo", ["redemption_id"], unique=False)


def _make_disputes() -> None:
    op.create_table(
        "dispute",
        sa.Column(
            "redemption_id", sa.Uuid(), nullable=False, comment="the primary key is the judge: a redemption is disputed once"
        ),
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        _person("opened_by"),
        sa.Column("opened_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_dispute")),
        comment="redemptions that their own merchant finds wrong; none is confirmed while it is open",
    )
    op.create_index(op.f("ix_dispute_merchant_id"), "dispute", ["merchant_id"], unique=False)
    op.create_table(
        "dispute_end",
        sa.Column("redemption_id", sa.Uuid(), nullable=False, comment="a dispute ends once"),
        sa.Column("outcome", sa.String(length=16), nullable=False, comment="stands | set_aside | withdrawn"),
        sa.Column("reason", sa.String(length=200), nullable=False),
        _person("ended_by"),
        sa.Column("ended_at", _instant(), nullable=False),
        sa.CheckConstraint("outcome IN ('stands', 'set_aside', 'withdrawn')", name=op.f("ck_dispute_end_outcome")),
        sa.ForeignKeyConstraint(["redemption_id"], ["dispute.redemption_id"], name=op.f("fk_dispute_end_redemption_id")),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_dispute_end")),
        comment="what is set aside is never confirmed",
    )


def _make_pay_runs() -> None:
    op.create_table(
        "pay_run",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("run_no", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False, comment="ach_p01 | pain_001"),
        _person("prepared_by"),
        sa.Column("prepared_at", _instant(), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("total_twd", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["prepared_by"], ["staff.staff_id"], name=op.f("fk_pay_run_prepared_by")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_pay_run")),
        sa.UniqueConstraint("run_id", "prepared_by", name=op.f("uq_pay_run_run_id_prepared_by")),
        sa.UniqueConstraint("run_no", name=op.f("uq_pay_run_run_no")),
        comment="payouts that one person has prepared; nothing of it is paid before another one releases it",
    )
    op.create_table(
        "pay_run_line",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("amount_twd", sa.BigInteger(), nullable=False),
        sa.Column("bank_code", sa.String(length=7), nullable=False),
        sa.Column("account_no", sa.String(length=16), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.claim_id"], name=op.f("fk_pay_run_line_claim_id")),
        sa.ForeignKeyConstraint(["run_id"], ["pay_run.run_id"], name=op.f("fk_pay_run_line_run_id")),
        sa.PrimaryKeyConstraint("run_id", "line_no", name=op.f("pk_pay_run_line")),
        sa.UniqueConstraint("run_id", "claim_id", name=op.f("uq_pay_run_line_run_id_claim_id")),
        comment="what was seen when it was prepared; a payout must agree with it to the letter (a trigger)",
    )
    op.create_index("ix_pay_run_line_claim_id_attempt", "pay_run_line", ["claim_id", "attempt"], unique=False)
    op.create_table(
        "pay_run_end",
        sa.Column("run_id", sa.Uuid(), nullable=False, comment="a run ends once"),
        _person("prepared_by"),
        sa.Column("outcome", sa.String(length=16), nullable=False, comment="released | withdrawn"),
        _person("ended_by"),
        sa.Column("ended_at", _instant(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column(
            "file_id",
            sa.Uuid(),
            nullable=True,
            comment="the payout file that it releases; a file without one is refused (a trigger)",
        ),
        sa.CheckConstraint("outcome IN ('released', 'withdrawn')", name=op.f("ck_pay_run_end_outcome")),
        sa.CheckConstraint("outcome <> 'released' OR ended_by <> prepared_by", name=op.f("ck_pay_run_end_two_people")),
        sa.CheckConstraint("(outcome = 'released') = (file_id IS NOT NULL)", name=op.f("ck_pay_run_end_file")),
        sa.ForeignKeyConstraint(["ended_by"], ["staff.staff_id"], name=op.f("fk_pay_run_end_ended_by")),
        sa.ForeignKeyConstraint(
            ["run_id", "prepared_by"],
            ["pay_run.run_id", "pay_run.prepared_by"],
            name=op.f("fk_pay_run_end_run_id_prepared_by"),
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_pay_run_end")),
        sa.UniqueConstraint("file_id", name=op.f("uq_pay_run_end_file_id")),
    )


def _make_drafts() -> None:
    op.create_table(
        "bank_return_draft",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        _person("uploaded_by"),
        sa.Column("uploaded_at", _instant(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_bank_return_draft")),
        comment="the bank's files that somebody looks at before they are taken over; gone afterwards",
    )


def _make_cases() -> None:
    op.create_table(
        "case_event",
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False),
        sa.Column("case_kind", sa.String(length=16), nullable=False, comment="see cloud.ports.cases.CaseKind"),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("verb", sa.String(length=16), nullable=False, comment="take | leave | note | resolve"),
        _person("by_staff_id"),
        sa.Column("happened_at", _instant(), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_case_event")),
        comment="who looks after an exception, and what was said and done about it",
    )
    op.create_index("ix_case_event_case_kind_case_id", "case_event", ["case_kind", "case_id"], unique=False)
    is_resolve = sa.text("verb = 'resolve'")
    op.create_index(
        "uq_case_event_resolve",
        "case_event",
        ["case_kind", "case_id"],
        unique=True,
        sqlite_where=is_resolve,
        postgresql_where=is_resolve,
    )


def _guard(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_keeps_facts BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    op.execute(
        f"CREATE TRIGGER {table}_keeps_facts_on_update BEFORE UPDATE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} holds facts: they are never changed'); END"
    )
    _guard_delete_on_sqlite(table)


def _guard_delete_on_sqlite(table: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_keeps_facts_on_delete BEFORE DELETE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} holds facts: they are never changed'); END"
    )


def _judge_on_sqlite() -> None:
    op.execute("DROP TRIGGER confirmation_keeps_facts_on_delete")
    op.execute(
        f"""
        CREATE TRIGGER confirmation_keeps_facts_on_delete BEFORE DELETE ON confirmation
        BEGIN
            SELECT RAISE(ABORT, '{_KEEPS}') WHERE NOT EXISTS (
                SELECT 1 FROM confirmation_undo
                WHERE confirmation_no = OLD.confirmation_no AND redemption_id = OLD.redemption_id
            );
            SELECT RAISE(ABORT, '{_SEEN}') WHERE EXISTS (
                SELECT 1 FROM settlement_range WHERE through_no >= OLD.confirmation_no
            );
        END
        """
    )
    op.execute(
        "CREATE TRIGGER confirmation_is_undisputed BEFORE INSERT ON confirmation WHEN EXISTS ("
        "SELECT 1 FROM dispute LEFT JOIN dispute_end ON dispute_end.redemption_id = dispute.redemption_id "
        "WHERE dispute.redemption_id = NEW.redemption_id AND coalesce(dispute_end.outcome, 'set_aside') = 'set_aside') "
        f"BEGIN SELECT RAISE(ABORT, '{_BLOCKED}'); END"
    )
    op.execute(
        "CREATE TRIGGER payout_file_is_released BEFORE INSERT ON payout_file "
        "WHEN NOT EXISTS (SELECT 1 FROM pay_run_end WHERE file_id = NEW.file_id) "
        f"BEGIN SELECT RAISE(ABORT, '{_UNRELEASED}'); END"
    )
    op.execute(
        "CREATE TRIGGER payout_is_released BEFORE INSERT ON payout WHEN NOT EXISTS ("
        "SELECT 1 FROM pay_run_end JOIN pay_run_line ON pay_run_line.run_id = pay_run_end.run_id "
        "WHERE pay_run_end.file_id = NEW.file_id AND pay_run_line.claim_id = NEW.claim_id "
        "AND pay_run_line.attempt = NEW.attempt AND pay_run_line.amount_twd = NEW.amount_twd "
        "AND pay_run_line.bank_code = NEW.bank_code AND pay_run_line.account_no = NEW.account_no) "
        f"BEGIN SELECT RAISE(ABORT, '{_UNLIKE}'); END"
    )


def _judge_on_postgres() -> None:
    op.execute("DROP TRIGGER confirmation_keeps_facts ON confirmation")
    op.execute(
        "CREATE TRIGGER confirmation_keeps_facts BEFORE UPDATE OR TRUNCATE ON confirmation "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER confirmation_shares_lock_to_undo BEFORE DELETE ON confirmation "
        "FOR EACH STATEMENT EXECUTE FUNCTION share_confirming()"
    )
    _judge_statement(
        "judge_undo",
        "confirmation_is_undone AFTER DELETE ON confirmation REFERENCING OLD TABLE AS gone",
        [
            (
                "SELECT FROM gone LEFT JOIN confirmation_undo USING (confirmation_no, redemption_id) "
                "WHERE confirmation_undo.undone_at IS NULL",
                _KEEPS,
            ),
            ("SELECT FROM gone WHERE confirmation_no <= (SELECT max(through_no) FROM settlement_range)", _SEEN),
        ],
    )
    # Looked for from the side of the disputes, which are few; where there is none, nothing is.
    _judge_statement(
        "refuse_disputed",
        "confirmation_is_undisputed AFTER INSERT ON confirmation REFERENCING NEW TABLE AS added",
        [
            (
                "SELECT FROM dispute LEFT JOIN dispute_end USING (redemption_id) "
                "WHERE coalesce(dispute_end.outcome, 'set_aside') = 'set_aside' "
                "AND redemption_id IN (SELECT redemption_id FROM added)",
                _BLOCKED,
            )
        ],
    )
    _judge_statement(
        "judge_payout_file",
        "payout_file_is_released AFTER INSERT ON payout_file REFERENCING NEW TABLE AS added",
        [("SELECT FROM added WHERE file_id NOT IN (SELECT file_id FROM pay_run_end WHERE file_id IS NOT NULL)", _UNRELEASED)],
    )
    _judge_statement(
        "judge_payouts",
        "payout_is_released AFTER INSERT ON payout REFERENCING NEW TABLE AS added",
        [
            (
                "SELECT file_id, claim_id, attempt, amount_twd, bank_code, account_no FROM added EXCEPT "
                "SELECT file_id, claim_id, attempt, amount_twd, bank_code, account_no "
                "FROM pay_run_end JOIN pay_run_line USING (run_id) WHERE file_id IN (SELECT file_id FROM added)",
                _UNLIKE,
            )
        ],
    )


def _judge_statement(function: str, trigger: str, rules: list[tuple[str, str]]) -> None:
    """Refuse a statement one of whose rows breaks a rule: the rows that do, and what is said then."""
    body = " ".join(
        f"IF EXISTS ({rows}) THEN RAISE EXCEPTION '{said}' USING ERRCODE = 'restrict_violation'; END IF;"
        for rows, said in rules
    )
    op.execute(f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$")
    op.execute(f"CREATE TRIGGER {trigger} FOR EACH STATEMENT EXECUTE FUNCTION {function}()")
