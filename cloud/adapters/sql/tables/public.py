"""What everybody may read about where vouchers are taken."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from cloud.adapters.sql.tables.base import metadata

site_place = Table(
    "site_place",
    metadata,
    Column("site_id", ForeignKey("site.site_id"), primary_key=True),
    Column("address", Text, nullable=False),
    Column("phone", String(32), nullable=False),
    Column("county", String(3), nullable=False, comment="read from the address: ISO 3166-2:TW; empty where it does not say"),
    Column("district", String(8), nullable=False, comment="read from the address"),
    Index("ix_site_place_county_district", "county", "district"),
    comment="where a site is, for the public search",
)
