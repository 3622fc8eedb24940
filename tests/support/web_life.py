"""Three weeks in the life of the example programme, for pictures: real orders, confirmations, claims, payouts and a return."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from uuid import UUID

import msgspec

from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.domain.calendar import day_of
from cloud.domain.payouts import Originator, PayoutFile
from cloud.services.confirm import confirm_all
from cloud.services.pay import import_return, make_payout_file
from cloud.services.programmes import By, change_programme
from cloud.services.settle import settle_due
from cloud.web.asking import Asking, Purchase
from cloud.web.order import Order, OrderLine
from protocol.ids import uuid7
from protocol.messages import RedeemAccepted
from tests.support.bank import answer_p01
from tests.support.money import HANDS
from tests.support.setups import PROGRAMME_ID
from tests.support.web import Site, enrol_device, issue

START = datetime(2026, 11, 4, 1, 30, tzinfo=UTC)
"""Half past nine of a Wednesday in Taipei: the first of a voucher week."""

END = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
"""Noon of a Friday, when the pictures are taken."""

CLERKS = {"boan-scan-1": "room", "boan-scan-2": "room_and_meals", "yunling-scan-1": "admission"}
ORIGINATOR = Originator("0040037", "1234567890", "04595257", "101", "TOURISM VOUCHER PROGRAMME")
RETURNED_ACCOUNT = "41210765432"
"""The park's; its first claim comes back and waits to be paid again."""

_ORDERS_A_DAY = 3


@dataclass
class Life:
    """Lets time pass on a site."""

    site: Site
    random: Random = field(default_factory=partial(Random, 20261104))
    digits: dict[str, str] = field(default_factory=dict)
    free: list[str] = field(default_factory=list)
    answer: bytes = b""
    """What the bank would answer to the second file, which nobody has brought yet."""
    _first_file: PayoutFile = field(init=False)

    def run(self) -> list[str]:
        """Live until :data:`END`; return voucher numbers that are still unused, with their digits in ``digits``."""
        self.site.clock.at = START
        self._fund(600_000)
        self._issue(400)
        self._fund(480_000)
        while self.site.clock.at < END:
            self._day()
            self.site.clock.advance(hours=24)
        self.site.clock.at = END
        self._enrol()
        return self.free

    def _fund(self, budget_twd: int) -> None:
        office = self.site.parts.programmes.office
        state = office.find(PROGRAMME_ID)
        assert state is not None
        terms = msgspec.structs.replace(state.terms, budget_twd=budget_twd)
        by, sold = By("office-1", self.site.clock.at), office.item_categories().keys()
        assert not change_programme(office, terms, by, sold=sold, keys=(), seen_version=state.version_no)

    def _issue(self, how_many: int) -> None:
        numbers = [f"{self.random.randrange(10**12):012d}" for _ in range(how_many)]
        self.digits = {number: f"{self.random.randrange(10**4):04d}" for number in numbers}
        self.free = list(self.digits)
        issue(self.site, self.digits)

    def _enrol(self) -> None:
        enrol_device(self.site, "kiosk-7qm2xd", "boan-lobby", presence="online")
        enrol_device(self.site, "kiosk-c4n6ta", "boan-harbour", presence="lost")
        enrol_device(self.site, "kiosk-k3w5zr", "yunling-gate", presence="online")
        enrol_device(self.site, "kiosk-p2b4hy", "yunling-gate", state="revoked")

    def _day(self) -> None:
        """Settle what is due, sell until the evening, confirm; today nobody has confirmed yet."""
        morning = self.site.clock.at
        if settle_due(SqlSettlementStore(self.site.engine), now=morning):
            self._pay()
        today = day_of(morning) == day_of(END)
        for hour in range(_ORDERS_A_DAY):
            self.site.clock.at = morning + timedelta(minutes=40 * hour + self.random.randrange(35))
            for clerk in CLERKS:
                self._order(clerk)
        if not today:
            self.site.clock.at = morning + timedelta(hours=11)
            for merchant in ("boan", "yunling"):
                self._confirm(merchant)
        self.site.clock.at = morning

    def _order(self, clerk: str) -> None:
        vouchers = [self.free.pop() for _ in range(self.random.choice((1, 1, 1, 2, 2, 3)))]
        total = max(300, 1000 * len(vouchers) + self.random.choice((-200, 0, 50, 480, 1100, 2050, 4050)))
        lines = tuple(OrderLine(number, 1000) for number in vouchers)
        order = Order(self._id(), self._id(), lines, tuple(self.digits[number] for number in vouchers))
        answer = Asking(self.site.parts.scan, self.site.clock, clerk).redeem(order, Purchase(CLERKS[clerk], total))
        assert isinstance(answer, RedeemAccepted), answer

    def _confirm(self, merchant: str) -> None:
        confirm_all(
            self.site.parts.confirmations,
            merchant_id={"boan": "boan-hotel", "yunling": "yunling-park"}[merchant],
            staff_id=f"{merchant}-admin",
            now=self.site.clock.at,
        )

    def _pay(self) -> None:
        """The first file was credited but for one account, as is heard once the second, now at the bank, is made."""
        store, now = SqlPayoutStore(self.site.engine), self.site.clock.at
        file = make_payout_file(store, "ach_p01", ORIGINATOR, hands=HANDS, now=now)
        assert file is not None
        if file.file_no == 1:
            self._first_file = file
            return
        self.answer = answer_p01(file.content, failures={RETURNED_ACCOUNT: "05"}, answered_on=file.value_date)
        first = self._first_file
        answer = answer_p01(first.content, failures={RETURNED_ACCOUNT: "22"}, answered_on=first.value_date)
        import_return(store, answer, by=HANDS.prepared_by, now=now + timedelta(hours=1), file_no=1)

    def _id(self) -> UUID:
        return uuid7(int(self.site.clock.at.timestamp() * 1000), self.random.randbytes(10))


def live(site: Site) -> Life:
    """Live the three weeks."""
    life = Life(site)
    life.run()
    return life
