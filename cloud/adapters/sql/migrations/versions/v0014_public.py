"""Where sites are, for the public search."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "site_place",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("phone", sa.String(length=32), nullable=False),
        sa.Column(
            "county",
            sa.String(length=3),
            nullable=False,
            comment="read from the address: ISO 3166-2:TW; empty where it does not say",
        ),
        sa.Column("district", sa.String(length=8), nullable=False, comment="read from the address"),
        sa.ForeignKeyConstraint(["site_id"], ["site.site_id"], name=op.f("fk_site_place_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_site_place")),
        comment="where a site is, for the public search",
    )
    op.create_index("ix_site_place_county_district", "site_place", ["county", "district"], unique=False)


def downgrade() -> None:
    """Drop it; addresses are in the setup file still."""
    op.drop_table("site_place")
