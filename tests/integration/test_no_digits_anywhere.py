"""After a whole demo, with kills: no holder's last four in any file, in the database's pages, or in any MQTT message.

The keypad is legended with runes, so that what is searched for cannot stand there by chance. They are looked for as UTF-8,
UTF-16 and JSON escapes. That the search finds things is shown by what must be there: voucher numbers.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.demo.cast import SITES
from tests.demo.orders import stories
from tests.demo.play import open_for_business, play
from tests.demo.world import Ports, World, open_world
from tests.support.listener import ACL, listening

RUNES = "ᚠᚢᚦᚨᚱᚲᚷᚹᚺᚾ"
ORDERS = 20


def _spellings(digits: str) -> Iterator[bytes]:
    yield digits.encode("utf-8")
    yield digits.encode("utf-16-le")
    yield digits.encode("utf-16-be")
    yield "".join(f"\\u{ord(character):04x}" for character in digits).encode("ascii")


def _files(world: World) -> Iterator[Path]:
    for folder in {world.root, world.database.files}:
        yield from (path for path in folder.rglob("*") if path.is_file())


def _found(needles: Sequence[bytes], haystack: bytes) -> list[bytes]:
    return [needle for needle in needles if needle in haystack]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_no_digits_in_any_byte(database: str, tmp_path: Path) -> None:
    rng = random.Random(4)
    ports, sites = Ports.free(len(SITES)), list(SITES)
    with open_world(
        tmp_path / "world", database=database, ports=ports, sites=sites, legend=RUNES, broker_extra=ACL, fresh=True, keep=False
    ) as world:
        cast = open_for_business(world, ORDERS, rng)
        with listening(world.root / "vault", tmp_path, ports.broker) as heard:
            diary = play(world, cast, stories(ORDERS, rng), rng)
        vouchers = [voucher for order, _ in diary.outcomes for voucher in order.vouchers]
        needles = [spelling for voucher in vouchers for spelling in _spellings(voucher.digits)]
        messages = b"\n".join(heard)
        assert len(heard) > 2 * ORDERS
        assert _found([vouchers[0].voucher_no.encode()], messages)
        assert _found(needles, messages) == []
        files = {path: path.read_bytes() for path in _files(world)}
        assert any("wal" in path.name.lower() or "outbox" in path.name for path in files)
        assert any(_found([vouchers[0].voucher_no.encode()], content) for content in files.values())
        assert {str(path): found for path, content in files.items() if (found := _found(needles, content))} == {}
