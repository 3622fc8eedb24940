"""Holders can be forgotten: what is known of them may be null, a programme says when, and what is done with is written down.

Vouchers get one index in the order of their places instead of two that say less: sheets are printed and holders are forgotten
in that order, and nothing looks for the vouchers of a whole programme.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NUMBERED = ("voucher", "digit_try", "hold", "redemption_line")
_OF_THE_HOLDER: dict[str, sa.types.TypeEngine[Any]] = {
    "holder_name_masked": sa.Text(),
    "holder_id_masked": sa.Text(),
    "digit_tag": sa.LargeBinary(),
}
_TOLD = {
    "holder_name_masked": ("this and what follows is null once the holder is forgotten", None),
    "holder_id_masked": ("never the last four", "never the last four"),
    "digit_tag": ("HMAC-SHA256 under the pepper, 32 bytes", "HMAC-SHA256 under the pepper, 32 bytes"),
}


def upgrade() -> None:
    """Let the columns be null, and say when that is to be."""
    op.add_column(
        "programme",
        sa.Column(
            "dispute_days",
            sa.SmallInteger(),
            server_default="90",
            nullable=False,
            comment="after the last day; then its holders are forgotten",
        ),
    )
    op.create_table(
        "issue_purge",
        sa.Column("issue_id", sa.Uuid(), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("issue_id", name=op.f("pk_issue_purge")),
        comment="issues of whose holders nothing is known any more",
    )
    op.drop_index(op.f("ix_voucher_programme_id"), "voucher")
    op.drop_index(op.f("ix_voucher_issue_id"), "voucher")
    _alter_holder(nullable=True)
    op.create_index("ix_voucher_issue_id_position", "voucher", ["issue_id", "position"])
    _collate_numbers("C")


def downgrade() -> None:
    """Take it back; refused where a holder is forgotten, because nobody can be put in the empty place."""
    voucher = sa.table("voucher", sa.column("digit_tag"))
    if op.get_bind().scalar(sa.select(sa.exists().where(voucher.c.digit_tag.is_(None)))):
        raise RuntimeError("voucher holds rows without a holder, which revision 0005 has no room for")
    _collate_numbers("default")
    op.drop_index("ix_voucher_issue_id_position", "voucher")
    _alter_holder(nullable=False)
    op.create_index(op.f("ix_voucher_issue_id"), "voucher", ["issue_id"])
    op.create_index(op.f("ix_voucher_programme_id"), "voucher", ["programme_id"])
    op.drop_table("issue_purge")
    op.drop_column("programme", "dispute_days")


def _collate_numbers(collation: str) -> None:
    # SQLite compares bytes anyway.
    if op.get_bind().dialect.name == "postgresql":
        for table in _NUMBERED:
            op.execute(f'ALTER TABLE {table} ALTER COLUMN voucher_no TYPE varchar(12) COLLATE "{collation}"')


def _alter_holder(*, nullable: bool) -> None:
    # SQLite cannot alter a column: Alembic copies the table there. Nothing refers to it, and it has no triggers.
    with op.batch_alter_table("voucher") as table:
        for name, kind in _OF_THE_HOLDER.items():
            new, old = _TOLD[name] if nullable else reversed(_TOLD[name])
            table.alter_column(name, existing_type=kind, nullable=nullable, comment=new, existing_comment=old)
