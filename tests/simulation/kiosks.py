"""Machines that run the real app. They may lose their power at every boundary of an effect; their disk remains.

The app is turned by hand, as its own loop would: at once when something arrives, otherwise once in a while. After a power cut
everything in memory is gone, a new app starts from the outbox, the monotonic clock begins at another number, and the wall
clock may be wrong by years.
"""

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from kiosk.adapters.outbox_sqlite import SqliteOutbox
from kiosk.app import App, Device, Parts
from kiosk.domain.site import Site
from kiosk.domain.view import Screen, View
from kiosk.ports import Outbox, OutboxRow
from protocol.enrolment import ItemCategory
from protocol.envelope import Event, device_source
from protocol.errors import PortError
from protocol.ids import reference
from protocol.keys import DeviceKeys
from protocol.messages import RedeemAccepted, decode_answer
from protocol.topics import DeviceAddress
from tests.fakes.kiosk_outbox import MemoryOutbox
from tests.simulation.kernel import Kernel, PowerCut
from tests.simulation.network import Network, SimLink
from tests.simulation.witness import LEGEND, Witness
from tests.support.worlds import ITEMS, Shop

BUSY_TICK_S: Final = 1.0
IDLE_TICK_S: Final = 2.0
BOOT_S: Final = (1.0, 15.0)
WRONG_CLOCKS_S: Final = (0.0, 0.0, 0.4, -86_400.0, 86_400.0, -1_600_000_000.0, 4e8)
_SITE_ITEMS: Final = tuple(ItemCategory(code=code, names={"en": code}) for code in ITEMS)

Input = Callable[[App], None]


class KioskClock:
    """See :class:`kiosk.ports.Clock`: right about how much time passes, perhaps wrong about the date."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._skew = timedelta(seconds=kernel.rng.choice(WRONG_CLOCKS_S))
        self._offset_s = kernel.rng.uniform(0, 1000) - kernel.now_s

    def now(self) -> datetime:
        return self._kernel.now() + self._skew

    def monotonic(self) -> float:
        return self._kernel.now_s + self._offset_s


class FaultyOutbox:
    """An outbox on a disk that may be full, in a machine that may lose its power before and after every write."""

    def __init__(self, outbox: Outbox, device_id: str, kernel: Kernel, witness: Witness) -> None:
        self._outbox = outbox
        self._device_id = device_id
        self._kernel = kernel
        self._witness = witness

    def append(self, make: Callable[[int, str], Event], *, voucher_nos: Sequence[str], saved_at: datetime) -> OutboxRow:
        self._before("append")
        row = self._outbox.append(make, voucher_nos=voucher_nos, saved_at=saved_at)
        self._witness.saved_request(self._device_id, row.request)
        self._witness.look_for_digits("the outbox", row.request.body)
        self._kernel.kiosk_may_die("after append")
        return row

    def store_answer(self, request_id: UUID, answer: Event) -> OutboxRow | None:
        self._before("store_answer")
        row = self._outbox.store_answer(request_id, answer)
        if row is not None and row.answer is not None:
            self._witness.stored_answer(row.answer)
        self._kernel.kiosk_may_die("after store_answer")
        return row

    def mark_shown(self, request_id: UUID) -> None:
        self._before("mark_shown")
        self._outbox.mark_shown(request_id)
        self._kernel.kiosk_may_die("after mark_shown")

    def probe(self) -> None:
        self._fail()
        self._outbox.probe()

    def pending(self, limit: int) -> Sequence[OutboxRow]:
        return self._outbox.pending(limit)

    def pending_count(self) -> int:
        return self._outbox.pending_count()

    def find(self, request_id: UUID) -> OutboxRow | None:
        return self._outbox.find(request_id)

    def find_by_voucher(self, voucher_no: str) -> OutboxRow | None:
        return self._outbox.find_by_voucher(voucher_no)

    def close(self) -> None:
        self._outbox.close()

    def _before(self, write: str) -> None:
        self._fail()
        self._kernel.kiosk_may_die(f"before {write}")

    def _fail(self) -> None:
        if self._kernel.strikes(self._kernel.weather.disk_failure, "disk failure"):
            raise PortError("the disk is full", retry=True)


class KioskHost:
    """One machine."""

    def __init__(self, network: Network, shop: Shop, keys: DeviceKeys, folder: Path | None) -> None:
        """Screwed to the wall; it has no power yet.

        Args:
            folder: where its disk is; None for an outbox in memory that outlives the program.
        """
        self._network = network
        self._kernel = network.kernel
        self._witness = network.witness
        self._keys = keys
        self._folder = folder
        self._boots = 0
        self._is_ticking = False
        self._app: App | None = None
        self._link: SimLink | None = None
        self._references: dict[str, UUID] = {}
        self.address = DeviceAddress(shop.site_id, shop.device_id)
        self.shop = shop
        self.is_open = False
        self.view: View | None = None
        self.outbox: Outbox = MemoryOutbox() if folder is None else self._open(folder / "outbox-0.sqlite3")

    @property
    def name(self) -> str:
        return self.address.device_id

    @property
    def screen(self) -> Screen | None:
        """What is shown; None without power."""
        return None if self._app is None or self.view is None else self.view.screen

    def power_on(self) -> None:
        """Start the program, unless it runs."""
        self.is_open = True
        if self._app is not None:
            return
        self._kernel.note(f"power on {self.name}")
        self._boots += 1
        self._link = SimLink(self._network, self.address, self.spin)
        self._network.links[self.name] = self._link
        self._app = App(self._parts(self._link), on_view=self._on_view)
        self._guarded(self._app.start)
        self.spin()

    def power_off(self) -> None:
        """The shop closes, and somebody pulls the plug."""
        self.is_open = False
        self.cut_power()

    def cut_power(self, where: str = "closing") -> None:
        """Everything but the disk is gone."""
        if self._app is None or self._link is None:
            return
        self._kernel.note(f"power cut {self.name} at {where}")
        self._link.close()
        self._app, self._link, self.view = None, None, None
        if self._folder is not None:
            self._reopen(self._folder)
        if self.is_open:
            self._kernel.after(self._kernel.rng.uniform(*BOOT_S), lambda: self.power_on() if self.is_open else None)

    def feed(self, inputs: Sequence[Input]) -> None:
        """Somebody does something at the kiosk."""
        for give in inputs:
            if self._app is not None:
                give(self._app)
                self.spin()

    def spin(self) -> None:
        """Let the loop turn until nothing is left to do."""
        while self._turn():
            pass
        if not self._is_ticking and self._app is not None:
            self._is_ticking = True
            self._kernel.after(BUSY_TICK_S, self._tick)

    def _tick(self) -> None:
        self._is_ticking = False
        if self._app is None:
            return
        self._turn()
        if self._app is None:
            return
        is_idle = self.screen is Screen.ATTRACT
        if not is_idle or self.outbox.pending_count():
            self._is_ticking = True
            self._kernel.after(IDLE_TICK_S if is_idle else BUSY_TICK_S, self._tick)

    def _turn(self) -> bool:
        app = self._app
        return app is not None and self._guarded(lambda: app.turn(0))

    def _guarded(self, act: Callable[[], bool | None]) -> bool:
        try:
            return bool(act())
        except PowerCut as cut:
            self.cut_power(str(cut))
            return False

    def _on_view(self, view: View) -> None:
        shown = None if self.view is None else self.view.screen
        self.view = view
        if view.screen is not shown:
            self._kernel.note(f"screen {self.name} {view.screen}")
        self._witness.look_for_digits("a view", msgspec.json.encode(view))
        if view.screen is Screen.DIGITS and set(view.entry) - {"•"}:
            self._witness.complain("no digits", "a view shows the keys of an ID")
        if view.screen is Screen.DONE and shown is not Screen.DONE:
            self._check_success(view)

    def _check_success(self, view: View) -> None:
        ids = [found for found, owner in self._witness.saved.items() if owner == self.name]
        request_id = next((found for found in ids if reference(found) == view.reference), None)
        row = None if request_id is None else self.outbox.find(request_id)
        self._witness.showed_done(self.name, request_id, is_authentic=row is not None and self._is_success(row, view))

    def _is_success(self, row: OutboxRow, view: View) -> bool:
        if row.answer is None or not row.answer.is_from(self._keys.answer):
            return False
        answer = decode_answer(row.answer.body)
        return (
            isinstance(answer, RedeemAccepted)
            and answer.request_id == row.request.id
            and (answer.redeemed_twd, answer.order_total_twd) == (view.redeemed_twd, view.total_twd)
        )

    def _parts(self, link: SimLink) -> Parts:
        return Parts(
            device=Device(self.address, self._keys, LEGEND),
            site=Site(self.shop.site_name, _SITE_ITEMS),
            trusted={},
            outbox=FaultyOutbox(self.outbox, self.name, self._kernel, self._witness),
            link=link,
            clock=KioskClock(self._kernel),
            random_bytes=self._kernel.rng.randbytes,
            boot_id=f"{self.name}-{self._boots}",
            version="simulated",
            passing=self._kernel.kiosk_may_die,
        )

    def _open(self, path: Path) -> SqliteOutbox:
        return SqliteOutbox(path, source=device_source(self.name), reserve_bytes=0)

    def _reopen(self, folder: Path) -> None:
        # The files as they stand at this moment, without what closing would tidy up: that is what a killed program leaves.
        before, after = (folder / f"outbox-{number}.sqlite3" for number in (self._boots - 1, self._boots))
        for suffix in ("", "-wal"):
            if (left := before.with_name(before.name + suffix)).exists():
                shutil.copyfile(left, after.with_name(after.name + suffix))
        self.outbox.close()
        self.outbox = self._open(after)
