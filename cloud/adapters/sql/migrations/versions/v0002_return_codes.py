"""Room for the return codes of ISO 20022, which have four characters; those of the clearing house have two."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the column. What it holds stays."""
    _resize(2, 4)


def downgrade() -> None:
    """Narrow it again; refused where a code would be cut, because half a code may be another one."""
    outcome = sa.table("payout_outcome", sa.column("return_code", sa.String))
    longest = op.get_bind().scalar(sa.select(sa.func.max(sa.func.length(outcome.c.return_code))))
    if longest is not None and longest > 2:
        raise RuntimeError("payout_outcome holds return codes of ISO 20022, which revision 0001 has no room for")
    _resize(4, 2)


def _resize(old: int, new: int) -> None:
    # SQLite cannot alter a column: Alembic copies the table there. Nothing refers to it, and it has no triggers.
    with op.batch_alter_table("payout_outcome") as table:
        table.alter_column("return_code", existing_type=sa.String(old), type_=sa.String(new), existing_nullable=True)
