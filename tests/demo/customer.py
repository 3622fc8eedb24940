"""A customer at the kiosk: holds printed vouchers to the camera, presses keys, reads the screen. Knows nothing else."""

import io
import json
import random
import time
import urllib.request
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from PIL import Image

from tests.demo.mishaps import Mishap
from tests.demo.orders import Order, Story, Voucher
from tests.demo.processes import DemoError
from tests.demo.world import Kiosk
from tests.support.pictures import Shot, photograph

SCREEN_WAIT_S = 20.0
_ENDS = frozenset({"done", "unknown", "out_of_order"})
OUTCOMES = frozenset({"done", "refused", "unknown"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a visit ended, as its screen said."""

    accepted: bool
    reason: str | None
    topup_twd: int
    wait_ms: float | None
    """From the confirm key to the result on the screen."""
    was_unknown: bool = False


class InterruptedVisitError(DemoError):
    """The kiosk shows a result that this visit did not ask for yet: what it knows from before, or a breakdown."""

    def __init__(self, shown: dict[str, Any]) -> None:
        super().__init__(f"the kiosk shows {shown['screen']!r} in mid-visit")
        self.shown = shown


class Customer:
    """One person at one kiosk."""

    def __init__(self, kiosk: Kiosk, *, legend: str, rng: random.Random) -> None:
        self._kiosk = kiosk
        self._legend = legend
        self._rng = rng

    # Senses and hands --------------------------------------------------------------------------------------------------

    def view(self) -> dict[str, Any]:
        """Look at the screen."""
        return self._kiosk.view()

    def wait_for(self, screens: Container[str], *, seconds: float = SCREEN_WAIT_S, bear: Container[str] = ()) -> dict[str, Any]:
        """Wait until one of these screens is shown, and return what it shows.

        Args:
            bear: results that may be shown meanwhile.

        Raises:
            InterruptedVisitError: another result is shown instead.
            DemoError: it did not come in time.
        """
        return self._wait(lambda shown: shown["screen"] in screens, what=f"one of {screens}", seconds=seconds, bear=bear)

    def _wait(
        self, wanted: Callable[[dict[str, Any]], bool], *, what: str, seconds: float = SCREEN_WAIT_S, bear: Container[str] = ()
    ) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while not wanted(shown := self.view()):
            if shown["screen"] in _ENDS and shown["screen"] not in bear:
                raise InterruptedVisitError(shown)
            if time.monotonic() > end:
                raise DemoError(f"the kiosk at {self._kiosk.site_id} shows {shown['screen']!r}, not {what}")
            time.sleep(0.012)
        return shown

    def press(self, key: str) -> None:
        """Press one key of the matrix."""
        self._post("/bench/keys", {"key": key})

    def type(self, digits: str) -> None:
        """Press digit keys and look that the screen took each one."""
        for length, digit in enumerate(digits, start=1):
            self.press(digit)
            self._wait_entry(length)

    def hold(self, voucher: Voucher) -> None:
        """Hold a voucher in front of the camera until the kiosk has read it, then put it away."""
        shot = Shot(seed=self._rng.randrange(1 << 30), level=self._rng.uniform(0.2, 1.0))
        new = self._kiosk.camera / "frame.new"
        photograph(Image.open(io.BytesIO(voucher.picture)), shot).save(new, format="png", compress_level=1)
        new.replace(self._kiosk.camera / "frame.png")

    def put_away(self) -> None:
        (self._kiosk.camera / "frame.png").unlink(missing_ok=True)

    def _wait_entry(self, length: int) -> None:
        self._wait(lambda shown: len(shown["entry"]) == length, what=f"{length} typed")

    def _post(self, path: str, body: dict[str, str]) -> None:
        request = urllib.request.Request(
            self._kiosk.url + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Origin": self._kiosk.url, "Sec-Fetch-Site": "same-origin"},
        )
        with urllib.request.urlopen(request, timeout=5):
            pass

    # A visit -----------------------------------------------------------------------------------------------------------

    def visit(self, order: Order, mishap: Mishap) -> Outcome:
        """Go through a whole visit, as the order's story says, and come back to the first screen."""
        self.wait_for({"attract"})
        mishap.at("attract", self._kiosk)
        for voucher in order.vouchers:
            shown = self._present(voucher, order.story, mishap)
            if _is_refusal(shown):
                return self._leave(self._refused(shown), mishap)
        mishap.at("basket", self._kiosk)
        self.press("ok")
        self._choose_item(order, mishap)
        self.type(str(order.total_twd))
        self.press("ok")
        self.wait_for({"confirm"})
        mishap.at("confirm", self._kiosk)
        return self._leave(self._confirm(mishap), mishap)

    def give_up(self, order: Order, mishap: Mishap) -> None:
        """Bring a voucher, give its digits, and press cancel: what was held is let go."""
        self.wait_for({"attract"})
        mishap.at("attract", self._kiosk)
        self._present(order.vouchers[0], order.story, mishap)
        self.walk_away()

    def _present(self, voucher: Voucher, story: Story, mishap: Mishap) -> dict[str, Any]:
        """Scan or type one voucher and give its digits; the screen after that."""
        if story in (Story.TYPED, Story.UNKNOWN):
            self.type(voucher.voucher_no)
            self.press("ok")
        else:
            self.hold(voucher)
        shown = self.wait_for({"digits", "refused"})
        self.put_away()
        if _is_refusal(shown):
            return shown
        mishap.at("digits", self._kiosk)
        if story in (Story.SLIP, Story.WRONG_DIGITS):
            shown = self._give_digits(self._wrong(voucher.digits), mishap)
            if story is Story.WRONG_DIGITS:
                return shown
        return self._give_digits(voucher.digits, mishap)

    def _give_digits(self, digits: str, mishap: Mishap) -> dict[str, Any]:
        self.type("".join(str(self._legend.index(character)) for character in digits))
        self.press("ok")
        mishap.at("checking", self._kiosk)
        return self._wait(lambda shown: shown["screen"] == "basket" or _is_refusal(shown), what="an answer to the digits")

    def _wrong(self, digits: str) -> str:
        first = self._legend[(self._legend.index(digits[0]) + 1) % len(self._legend)]
        return first + digits[1:]

    def _choose_item(self, order: Order, mishap: Mishap) -> None:
        shown = self.wait_for({"item", "total"})
        if shown["screen"] == "item":
            mishap.at("item", self._kiosk)
            self.press(shown["items"][order.item % len(shown["items"])]["key"])
            self.wait_for({"total"})
        mishap.at("total", self._kiosk)

    def _confirm(self, mishap: Mishap) -> Outcome:
        self.press("ok")
        pressed = time.monotonic()
        mishap.at("sending", self._kiosk)
        shown = self.wait_for(OUTCOMES, seconds=30)
        was_unknown = shown["screen"] == "unknown"
        if was_unknown:
            shown = self.wait_for({"done", "refused"}, seconds=60, bear={"unknown"})
        waited = (time.monotonic() - pressed) * 1000
        if shown["screen"] == "refused":
            return self._refused(shown)
        mishap.at("done", self._kiosk)
        return Outcome(True, None, int(shown["topup_twd"]), waited, was_unknown)

    def _refused(self, shown: dict[str, Any]) -> Outcome:
        return Outcome(False, shown["refusal"]["reason"], 0, None)

    def _leave(self, outcome: Outcome, mishap: Mishap) -> Outcome:
        self.walk_away()
        mishap.at("left", self._kiosk)
        return outcome

    def walk_away(self) -> None:
        """Press cancel until the first screen is back."""
        while (before := self.view())["screen"] != "attract":
            self.press("cancel")
            self._wait_change(before)

    def _wait_change(self, before: dict[str, Any]) -> None:
        end = time.monotonic() + 0.5
        while self.view() == before and time.monotonic() < end:
            time.sleep(0.012)


def _is_refusal(shown: dict[str, Any]) -> bool:
    """A refusal has a screen of its own, or stands above the digits that may be typed again."""
    on_digits = shown["screen"] == "digits" and not shown["entry"]
    return shown["refusal"] is not None and (shown["screen"] == "refused" or on_digits)
