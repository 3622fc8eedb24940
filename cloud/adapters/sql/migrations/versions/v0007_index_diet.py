"""Fewer index entries per order: what every order wrote and hardly anybody read.

* A redemption names its vouchers itself; nothing looks for the lines of a redemption any more.
* Sequences are indexed where there is one. A check has none, and is more than every other request.
* Accounts of the ledger are only ever summed all together.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SEQUENCE = "uq_inbox_sender_id_sequence"
_LINES = "SELECT voucher_no FROM redemption_line WHERE redemption_id = redemption.redemption_id ORDER BY line_no"
_NUMBERS = {
    "postgresql": f"(SELECT string_agg(voucher_no, ' ') FROM ({_LINES}) AS line)",  # noqa: S608 - words of ours
    "sqlite": f"(SELECT group_concat(voucher_no, ' ') FROM ({_LINES}))",  # noqa: S608 - words of ours
}


def upgrade() -> None:
    """Let redemptions name their vouchers, then drop what found them."""
    op.add_column(
        "redemption",
        sa.Column(
            "voucher_nos", sa.Text(), server_default="", nullable=False, comment="copied from its lines, a space between two"
        ),
    )
    database = op.get_bind().dialect.name
    _unguard()
    op.execute(f"UPDATE redemption SET voucher_nos = coalesce({_NUMBERS[database]}, '')")  # noqa: S608 - words of ours
    _guard()
    op.drop_index("ix_redemption_line_redemption_id", "redemption_line")
    op.drop_index("ix_ledger_entry_account", "ledger_entry")
    with op.batch_alter_table("inbox") as inbox:
        inbox.drop_constraint(_SEQUENCE, type_="unique")
    is_numbered = sa.text("sequence IS NOT NULL")
    op.create_index(
        _SEQUENCE, "inbox", ["sender_id", "sequence"], unique=True, sqlite_where=is_numbered, postgresql_where=is_numbered
    )


def downgrade() -> None:
    """Index everything again."""
    op.drop_index(_SEQUENCE, "inbox")
    with op.batch_alter_table("inbox") as inbox:
        inbox.create_unique_constraint(_SEQUENCE, ["sender_id", "sequence"])
    op.create_index("ix_ledger_entry_account", "ledger_entry", ["account"])
    op.create_index("ix_redemption_line_redemption_id", "redemption_line", ["redemption_id"])
    op.drop_column("redemption", "voucher_nos")


def _unguard() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER redemption_keeps_facts ON redemption")
        return
    op.execute("DROP TRIGGER redemption_keeps_facts_on_update")


def _guard() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER redemption_keeps_facts BEFORE UPDATE OR DELETE OR TRUNCATE ON redemption "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    op.execute(
        "CREATE TRIGGER redemption_keeps_facts_on_update BEFORE UPDATE ON redemption "
        "BEGIN SELECT RAISE(ABORT, 'redemption holds facts: they are never changed'); END"
    )
