"""``make demo``: everything runs until Ctrl-C; a person plays with kiosk screen and dashboards in a browser."""

import random
import signal
import threading
from datetime import datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.demo.cast import ADMINS, OFFICE_LOGINS, SCAN, SITES, fill_gallery, prepare
from tests.demo.play import say
from tests.demo.processes import DemoError, require_free
from tests.demo.world import DEMO_PASSWORD, Ports, World, open_world

GALLERY_VOUCHERS = 24
DIGITS_OF_ALL = "1234"
"""A person who plays must know them; a real holder's are drawn by his ID."""


def run_live(root: Path, *, database: str, wanted: tuple[int, int, int], reset: bool) -> int:
    """Start the world on fixed ports, say where to click, and wait for Ctrl-C."""
    web, broker, kiosk = wanted
    require_free(web, what="dashboards", option="WEB_PORT")
    require_free(broker, what="broker", option="BROKER_PORT")
    require_free(kiosk, what="kiosk screen", option="KIOSK_PORT")
    known = not reset and _is_known(root, broker)
    site = next(iter(SITES))
    with open_world(
        root, database=database, ports=Ports(web, broker, [kiosk]), sites=[site], by_hand=True, fresh=not known
    ) as world:
        ended = threading.Event()
        for which in (signal.SIGINT, signal.SIGTERM):
            signal.signal(which, lambda *_: ended.set())
        if known:
            world.write_configuration()
            world.cloud("init")
            world.cloud("broker-files", str(world.root / "broker"))
        else:
            _first_time(world)
            (root / "ready").write_text(str(broker), "ascii")
        world.start_cloud()
        world.start_kiosk(world.kiosks[0])
        _welcome(world, known=known)
        while not ended.wait(0.5):
            _require_all_running(world)
        say("\nstopping …")
    say("stopped; the data stays in .demo (make demo RESET=1 starts afresh)")
    return 0


def _is_known(root: Path, broker: int) -> bool:
    """Tell whether an earlier demo left its data; a kiosk enrolled there knows its broker by the port."""
    ready = root / "ready"
    if not ready.exists():
        return False
    before = ready.read_text("ascii")
    if before != str(broker):
        raise DemoError(f"this demo was set up with BROKER_PORT={before}; use that again, or start afresh with RESET=1")
    return True


def _first_time(world: World) -> None:
    say("setting up …")
    today = datetime.now(ZoneInfo("Asia/Taipei")).date()
    cast = prepare(world, orders=GALLERY_VOUCHERS, first_day=today, rng=random.Random(), digits=DIGITS_OF_ALL)
    fill_gallery(world.kiosks[0], [*islice(cast.hand.fresh, GALLERY_VOUCHERS), *islice(cast.hand.expired, 2)])


def _require_all_running(world: World) -> None:
    for process in (world.broker, world.web, world.ingest, world.schedule, world.kiosks[0].process):
        if not process.is_running:
            raise DemoError(f"{process.name} ended by itself: {process.last_words()} (see {process.log})")


def _welcome(world: World, *, known: bool) -> None:
    kiosk = world.kiosks[0]
    rows = [
        ("Kiosk screen", kiosk.url, "keys 0-9, Enter, Esc, Backspace"),
        ("Kiosk bench", f"{kiosk.url}/bench", "hold printed vouchers to the camera; press the keys of the matrix"),
        *(
            (f"Merchant ({door})", f"{world.web_url}/sign-in/{door}", f"{login} / {DEMO_PASSWORD}")
            for door, login in ADMINS.items()
        ),
        ("Staff scan page", f"{world.web_url}/sign-in/scan", f"{SCAN} / {DEMO_PASSWORD}"),
        *(
            (f"Programme office ({role})", f"{world.web_url}/sign-in/office", f"{login} / {DEMO_PASSWORD}")
            for role, login in OFFICE_LOGINS.items()
        ),
    ]
    width = max(len(name) for name, _, _ in rows)
    print(f"\n  {'Welcome back; the data is as you left it.' if known else 'Everything is up.'}\n")
    for name, url, how in rows:
        print(f"  {name:<{width}}  {url:<42} {how}")
    print(f"\n  The last four of every voucher here are {DIGITS_OF_ALL}; two vouchers on the bench have expired.")
    print(f"  Logs: {world.root / 'logs'}\n  Ctrl-C stops.\n", flush=True)
