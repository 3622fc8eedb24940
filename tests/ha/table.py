"""The table of kills, and the one line of JSON below it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

BACK_S_MAX: Final = 25.0
"""Service must be back within this after the primary was killed."""

_HEAD: Final = "kill  primary           in flight  back s  web s  whole s  orders  accepted  refused  asked again  breaches"


@dataclass(slots=True)
class Kill:
    """One kill and what followed. Times in seconds since the kill."""

    number: int
    killed: str
    successor: str
    open_orders: int
    """Orders without an answer at that moment."""
    back_s: float
    """Until a kiosk held the acceptance of an order that was made after the kill."""
    web_s: float
    """Until a web page that needs the database was served."""
    whole_s: float
    """Until three nodes replicated again; the killed one is started when service is back."""
    orders: int
    """Of this kill and the load around it."""
    accepted: int
    repeated: int
    """Answered requests that were sent once more and answered with the same bytes."""
    breaches: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        """What is wrong with it."""
        late = [
            f"{what} after {at_s:.1f} s" for what, at_s in (("orders", self.back_s), ("web", self.web_s)) if at_s > BACK_S_MAX
        ]
        return [f"kill {self.number}: {fault}" for fault in (*self.breaches, *late)]


def table(kills: Sequence[Kill]) -> str:
    """One line per kill, and the figures over all."""
    rows = [_row(kill) for kill in kills]
    back = [kill.back_s for kill in kills]
    return "\n".join(
        [_HEAD, *rows, f"back: median {median(back):.1f} s, longest {max(back):.1f} s, allowed {BACK_S_MAX:.0f} s"]
    )


def _row(kill: Kill) -> str:
    who = f"{kill.killed} → {kill.successor}"
    times = f"{kill.back_s:>6.1f}  {kill.web_s:>5.1f}  {kill.whole_s:>7.1f}"
    counts = (
        f"{kill.orders:>6}  {kill.accepted:>8}  {kill.orders - kill.accepted:>7}  {kill.repeated:>11}  {len(kill.breaches):>8}"
    )
    return f"{kill.number:>4}  {who:<16}  {kill.open_orders:>9}  {times}  {counts}"


def summary(kills: Sequence[Kill], faults: Sequence[str], *, seed: int) -> dict[str, Any]:
    """What the last line says."""
    back = [kill.back_s for kill in kills]
    return {
        "kills": len(kills),
        "seed": seed,
        "back_s": {"median": round(median(back), 2), "max": round(max(back), 2), "limit": BACK_S_MAX} if back else None,
        "web_back_s_max": round(max((kill.web_s for kill in kills), default=0.0), 2),
        "orders": sum(kill.orders for kill in kills),
        "accepted": sum(kill.accepted for kill in kills),
        "asked_again": sum(kill.repeated for kill in kills),
        "faults": list(faults),
    }
