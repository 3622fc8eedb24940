"""Who plays: the sites and merchants of ``docs/examples/programme.toml``, and holders with printed vouchers in hand."""

import io
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import segno
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from protocol.voucher import encode_voucher
from tests.demo.office import MerchantLogin
from tests.demo.orders import Hand, Order, Story, Voucher
from tests.demo.world import Kiosk, World
from tests.support.printed import cut_vouchers

SETUP = Path(__file__).resolve().parents[2] / "docs" / "examples" / "programme.toml"
FACE_VALUE_TWD = 1000
PROGRAMME, PAST_PROGRAMME = "travel-2026", "spring-2025"
SITES = {
    "boan-lobby": MerchantLogin("lodging", "boan"),
    "yunling-gate": MerchantLogin("amusement", "yunling"),
    "boan-harbour": MerchantLogin("lodging", "boan"),
}
"""Where the demo's kiosks stand, and who confirms there in the evening."""
UNLUCKY_ACCOUNT = "00041210765432"
"""Payout account of the second site's merchant; the bank returns one of its payouts as closed."""
ADMINS = {"travel_agency": "rizuo", "lodging": "boan", "amusement": "yunling", "hotspring_or_ppp": "qingmu"}
SCAN, OFFICE = "boan1", "office"
OFFICE_LOGINS = {
    "programme admin": OFFICE,
    "reviewer": "reviewer",
    "finance, who prepares": "finance",
    "finance, who releases": "finance2",
    "technician": "technician",
    "auditor": "auditor",
}
"""The programme office's people, by what they may do."""
VOUCHERS_PER_ORDER_MEAN = 2

_SURNAMES = "陳林黃張李王吳劉蔡楊許鄭謝洪郭邱曾廖賴徐周葉蘇莊呂江何蕭羅高"
_GIVEN = [
    "怡君",
    "志明",
    "淑芬",
    "家豪",
    "雅婷",
    "俊傑",
    "美玲",
    "建宏",
    "佩珊",
    "承恩",
    "品妍",
    "宥廷",
    "子涵",
    "柏翰",
    "詩涵",
    "冠宇",
]


@dataclass(slots=True)
class Cast:
    """Everybody and everything that the play needs."""

    hand: Hand
    legend: str
    host: str

    def dress(self, order: Order) -> Order:
        """Give an order the voucher its story asks for, where a dealt one does not do."""
        match order.story:
            case Story.FORGED:
                return replace(order, vouchers=[self._forged(order.vouchers[0])])
            case Story.UNKNOWN:
                never_issued = replace(order.vouchers[0], voucher_no=_other_number(order.vouchers[0].voucher_no))
                return replace(order, vouchers=[never_issued])
            case _:
                return order

    def _forged(self, voucher: Voucher) -> Voucher:
        """The same voucher, signed by somebody with a printer and a key of his own."""
        url = encode_voucher(voucher.voucher_no, host=self.host, key_id=PROGRAMME, key=Ed25519PrivateKey.generate())
        picture = io.BytesIO()
        segno.make_qr(url, error="m").save(picture, kind="png", scale=6, border=4)
        return replace(voucher, picture=picture.getvalue())


def prepare(world: World, *, orders: int, first_day: date, rng: random.Random, digits: str | None = None) -> Cast:
    """Set the world up, issue vouchers of a running and of an ended programme, and cut them from their sheets.

    Args:
        digits: last four of every holder; None draws them.
    """
    world.set_up(_setup(first_day))
    count = orders * VOUCHERS_PER_ORDER_MEAN + 12
    fresh = _issue(world, PROGRAMME, count, rng, digits)
    past = _issue(world, PAST_PROGRAMME, orders // 10 + 4, rng, digits)
    host = f"127.0.0.1:{world.ports.web}"
    return Cast(Hand(iter(fresh), iter(past), FACE_VALUE_TWD), world.legend, host)


def fill_gallery(kiosk: Kiosk, vouchers: Sequence[Voucher]) -> None:
    """Put voucher pictures where the bench finds them."""
    for voucher in vouchers:
        picture = Image.open(io.BytesIO(voucher.picture))
        picture.save(kiosk.gallery / f"{voucher.voucher_no}.png")


def _setup(first_day: date) -> str:
    """The example with dates around the play: the running programme opened a month ago, the other ended yesterday."""
    text = SETUP.read_text("utf-8")
    spans = {
        PROGRAMME: (first_day - timedelta(days=50), first_day + timedelta(days=180)),
        PAST_PROGRAMME: (first_day - timedelta(days=90), first_day - timedelta(days=1)),
    }
    for programme_id, (starts, ends) in spans.items():
        pattern = rf'(programme_id = "{programme_id}".*?starts_on = )[0-9-]+(.*?ends_on = )[0-9-]+'
        text, found = re.subn(pattern, rf"\g<1>{starts}\g<2>{ends}", text, count=1, flags=re.DOTALL)
        assert found == 1, f"{SETUP} holds no dates for {programme_id}"
    return text


def _issue(world: World, programme_id: str, count: int, rng: random.Random, digits: str | None) -> list[Voucher]:
    def holder() -> tuple[str, str]:
        return rng.choice(_SURNAMES) + rng.choice(_GIVEN), digits or "".join(rng.choices(world.legend, k=4))

    holders = [holder() for _ in range(count)]
    numbers, sheets = world.issue(programme_id, holders)
    pictures: Iterator[bytes] = cut_vouchers(sheets)
    return [Voucher(number, digits, picture) for number, (_, digits), picture in zip(numbers, holders, pictures, strict=False)]


def _other_number(voucher_no: str) -> str:
    return f"{(int(voucher_no) + 1) % 10**12:012d}"
