"""A whole kiosk without threads: the real app on fakes, turned by hand, with a clock that goes only when it is told to."""

from datetime import datetime, timedelta

from kiosk.app import App, Device, Parts
from kiosk.app.parts import pass_by
from kiosk.domain.keys import Key
from kiosk.domain.site import Site
from kiosk.domain.view import Screen, View
from kiosk.ports import Outbox, Passing
from tests.fakes.kiosk_cloud import FakeCloud, FakeVoucher
from tests.fakes.kiosk_link import FakeLink
from tests.fakes.kiosk_outbox import MemoryOutbox
from tests.support.kiosk import ADDRESS, KEYS, NOON, make_site

LEGEND = "αβγδεζηθικ"
"""No digit key stands for itself, so a test that finds a digit has found a leak."""


class HandClock:
    """See :class:`kiosk.ports.Clock`."""

    def __init__(self) -> None:
        self.elapsed_s = 1000.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.elapsed_s)

    def monotonic(self) -> float:
        return self.elapsed_s


class CountedNoise:
    """Random bytes that are all different and the same in every run."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, length: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(length, "big")


class HandKiosk:
    """Kiosk, link and cloud, and a customer's hands."""

    def __init__(
        self,
        *,
        site: Site | None = None,
        outbox: Outbox | None = None,
        link: FakeLink | None = None,
        cloud: FakeCloud | None = None,
        passing: Passing = pass_by,
    ) -> None:
        self.clock = HandClock()
        self.outbox = outbox if outbox is not None else MemoryOutbox()
        self.link = link or FakeLink()
        self.cloud = cloud or FakeCloud()
        self.views: list[View] = []
        self.noise = CountedNoise()
        self._site = site or make_site()
        self._passing = passing
        self.app = self._make_app()

    @property
    def view(self) -> View:
        return self.views[-1]

    def must_show(self, screen: Screen) -> None:
        """Fail unless this screen is shown."""
        assert self.view.screen is screen, self.view

    def restart(self) -> None:
        """The power went and came back: only the outbox and the world remember."""
        self.link.disconnect()
        self.app = self._make_app()
        self.link.connect()
        self.settle()

    def settle(self, *, answers: bool = True) -> None:
        """Turn until nothing moves any more; the cloud answers what reaches it."""
        moved = True
        while moved:
            while self.app.turn(0):
                pass
            moved = answers and self._let_cloud_answer()

    def wait(self, seconds: float, *, answers: bool = True) -> None:
        """Let time pass in steps of half a second."""
        for _ in range(int(seconds * 2)):
            self.clock.elapsed_s += 0.5
            self.settle(answers=answers)

    def press(self, *keys: Key | str, answers: bool = True) -> None:
        for key in keys:
            self.app.take_key(Key(key))
            self.settle(answers=answers)

    def scan(self, voucher_no: str, *, answers: bool = True) -> None:
        self.app.take_code(voucher_no.encode())
        self.settle(answers=answers)

    def give_digits(self, digits: str = "0000", *, answers: bool = True) -> None:
        self.press(*digits, answers=answers)
        self.press(Key.OK, answers=answers)

    def confirm(self, total: str = "1000", *, answers: bool = True) -> None:
        """From the basket to the confirm key and beyond."""
        self.press(Key.OK, *total, Key.OK)
        self.clock.elapsed_s += self._site.timing.confirm_guard_s
        self.press(Key.OK, answers=answers)

    def add_voucher(self, voucher_no: str, *, digits: str = "0000", **facts: int) -> str:
        """Issue a voucher; ``digits`` are keys, the cloud knows what they stand for."""
        self.cloud.vouchers[voucher_no] = FakeVoucher("".join(LEGEND[int(key)] for key in digits), **facts)
        return voucher_no

    def _make_app(self) -> App:
        parts = Parts(
            device=Device(ADDRESS, KEYS, LEGEND),
            site=self._site,
            trusted={},
            outbox=self.outbox,
            link=self.link,
            clock=self.clock,
            random_bytes=self.noise,
            boot_id="boot",
            version="test",
            passing=self._passing,
        )
        app = App(parts, on_view=self.views.append)
        app.start()
        return app

    def _let_cloud_answer(self) -> bool:
        arrived = self.link.take_sent()
        for kind, event in arrived:
            self.link.answer(kind, self.cloud.judge(kind, event))
        return bool(arrived)


def online(kiosk: HandKiosk) -> HandKiosk:
    """Connect it."""
    kiosk.link.connect()
    kiosk.settle()
    return kiosk
