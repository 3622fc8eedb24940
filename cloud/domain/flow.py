"""How much one sender may send: a bucket of permits that fills at a steady rate.

Pure: the time is an argument. Buckets that are full again are forgotten, so that the memory is bounded by how many senders
were busy lately, and by :data:`SENDERS_MAX` at worst.
"""

from typing import Final

SENDERS_MAX: Final = 20_000


class FlowLimit:
    """One bucket per sender."""

    def __init__(self, *, per_s: float, burst: int) -> None:
        """Allow ``burst`` at once, and ``per_s`` a second in the long run."""
        self._per_s = per_s
        self._burst = float(burst)
        self._levels: dict[str, tuple[float, float]] = {}

    def admit(self, sender_id: str, *, at_s: float) -> bool:
        """Take one permit, if there is one.

        Args:
            at_s: seconds on any clock that does not run backwards; should it do so, no time has passed.
        """
        level, since_s = self._levels.get(sender_id) or (self._burst, at_s)
        if level < self._burst and at_s > since_s:
            level = min(self._burst, level + (at_s - since_s) * self._per_s)
        admitted = level >= 1.0
        self._levels[sender_id] = (level - 1.0 if admitted else level, at_s)
        if len(self._levels) > SENDERS_MAX:
            self._forget_idle(at_s)
        return admitted

    def _forget_idle(self, at_s: float) -> None:
        fill_s = self._burst / self._per_s
        self._levels = {sender: kept for sender, kept in self._levels.items() if at_s - kept[1] < fill_s}
        if len(self._levels) > SENDERS_MAX:
            # More busy senders than the limit: start over. Each gets one more burst, which is the lesser evil.
            self._levels.clear()
