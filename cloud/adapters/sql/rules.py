"""What a rule of the books is, and the words that the rules share."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select


@dataclass(frozen=True, slots=True)
class Rule:
    """One query whose every row is a breach."""

    rule: str
    sentence: str
    breaches: Select[Any]


def sums(key: Any, amount: Any, vouchers: Any = None) -> Any:
    """Rows and sum of amounts by key, as ``id``, ``rows``, ``total`` and, where wanted, ``vouchers``."""
    more = [] if vouchers is None else [func.sum(vouchers).label("vouchers")]
    columns = [key.label("id"), func.count().label("rows"), func.sum(amount).label("total"), *more]
    return select(*columns).group_by(key).subquery("sums")


def differs(found: Any, *, count: Any, total: Any) -> Any:
    """Tell whether the outer-joined :func:`sums` are not these; no row is zero."""
    return or_(func.coalesce(found.c.rows, 0) != count, func.coalesce(found.c.total, 0) != total)
