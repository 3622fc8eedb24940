"""Where sites are: for the public search, the office's charts and the merchant's own page."""

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
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column(
            "county",
            sa.String(length=3),
            comment="read from the address, see cloud.domain.counties; null where it does not say",
        ),
        sa.Column("district", sa.String(length=8), comment="read from the address"),
        sa.Column("phone", sa.String(length=32), nullable=False),
        sa.Column(
            "changed_by",
            sa.String(length=32),
            nullable=False,
            comment="member of staff, or cli; a setup file leaves alone what somebody else wrote",
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.site_id"], name=op.f("fk_site_place_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_site_place")),
        comment="where a site is, as everybody may read it",
    )
    op.create_index("ix_site_place_county_district", "site_place", ["county", "district"], unique=False)


def downgrade() -> None:
    """Drop it: what merchants wrote of their sites is lost."""
    op.drop_table("site_place")
