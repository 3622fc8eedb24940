"""Lists to choose from, read from the database for :mod:`cloud.ports.choices`."""

from collections.abc import Sequence

from sqlalchemy import Engine, select

from cloud.adapters.sql.tables import door, item_category, merchant, programme, site
from cloud.adapters.sql.transactions import reading
from cloud.ports.choices import DoorDates, ItemChoice, ProgrammeChoice, SiteChoice


class SqlChoices:
    """``Choices`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def programmes(self) -> Sequence[ProgrammeChoice]:
        wanted = select(
            programme.c.programme_id, programme.c.name_zh, programme.c.name_en, programme.c.face_value_twd
        ).order_by(programme.c.starts_on.desc(), programme.c.programme_id)
        with reading(self._engine) as connection:
            return [ProgrammeChoice(**row) for row in connection.execute(wanted).mappings()]

    def sites(self, merchant_id: str | None = None) -> Sequence[SiteChoice]:
        wanted = (
            select(
                site.c.site_id,
                site.c.name,
                site.c.merchant_id,
                merchant.c.name.label("merchant_name"),
                merchant.c.merchant_category,
            )
            .join(merchant, merchant.c.merchant_id == site.c.merchant_id)
            .order_by(merchant.c.name, site.c.name)
        )
        if merchant_id is not None:
            wanted = wanted.where(site.c.merchant_id == merchant_id)
        with reading(self._engine) as connection:
            return [SiteChoice(**row) for row in connection.execute(wanted).mappings()]

    def doors(self) -> Sequence[DoorDates]:
        with reading(self._engine) as connection:
            return [DoorDates(**row) for row in connection.execute(select(door)).mappings()]

    def item_categories(self, merchant_category: str) -> Sequence[ItemChoice]:
        wanted = (
            select(item_category)
            .where(item_category.c.merchant_category == merchant_category)
            .order_by(item_category.c.position, item_category.c.item_category)
        )
        with reading(self._engine) as connection:
            return [
                ItemChoice(
                    row["item_category"],
                    {"zh-Hant-TW": row["name_zh"], "en": row["name_en"], "ja": row["name_ja"], "ko": row["name_ko"]},
                )
                for row in connection.execute(wanted).mappings()
            ]
