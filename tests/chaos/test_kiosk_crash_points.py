"""SIGKILL at every named point of a redemption, as a power cut would: nothing is lost, nothing counts twice, all ends known."""

import http.client
import urllib.error
from pathlib import Path

import pytest

from kiosk.adapters.crash_points import CRASH_POINTS
from kiosk.domain.view import Screen, View
from kiosk.ports import CrashPoint
from tests.fakes.kiosk_cloud import FakeCloud
from tests.support.kiosk_client import wait_until
from tests.support.kiosk_process import KioskProcess, issue, kiosk_world

VOUCHER = "700000000001"
DIGITS = "4827"

SENT_BY_THEN = frozenset(
    {
        CrashPoint.AFTER_SAVE,
        CrashPoint.AFTER_PUBLISH,
        CrashPoint.ANSWER_RECEIVED,
        CrashPoint.AFTER_ANSWER_STORED,
        CrashPoint.AFTER_SCREEN,
    }
)
"""Points at which the request is on the disk: after them it must be redeemed without anybody doing anything."""


def redeem(kiosk: KioskProcess) -> View:
    kiosk.wait_for(Screen.DIGITS)
    kiosk.put_away()
    kiosk.type(DIGITS)
    for screen in (Screen.BASKET, Screen.TOTAL):
        kiosk.press("ok")
        kiosk.wait_for(screen)
    kiosk.type("810")
    for screen in (Screen.CONFIRM, Screen.DONE):
        kiosk.press("ok")
        kiosk.wait_for(screen)
    return kiosk.view()


def die(kiosk: KioskProcess, point: CrashPoint) -> None:
    """Drive a visit until the kiosk is dead; for a release, cancel on the way."""
    try:
        kiosk.hold_up(VOUCHER)
        if point is CrashPoint.RELEASE_SENT:
            kiosk.wait_for(Screen.DIGITS)
            kiosk.type(DIGITS)
            kiosk.press("ok")
            kiosk.wait_for(Screen.BASKET)
            kiosk.press("cancel")
        else:
            redeem(kiosk)
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError):
        pass  # the page died with the kiosk, which is what is waited for
    assert kiosk.ended_with() == -9
    kiosk.put_away()


def settled(cloud: FakeCloud) -> bool:
    return cloud.redeemed_twd == 500


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_kill_at(point: CrashPoint, tmp_path: Path) -> None:
    with kiosk_world(tmp_path) as (kiosk, cloud, _):
        issue(cloud, VOUCHER, DIGITS)
        kiosk.start(VK_CRASH_AT=point)
        die(kiosk, point)
        kiosk.start()
        kiosk.wait_for(Screen.ATTRACT)
        if point in SENT_BY_THEN:
            wait_until(lambda: settled(cloud), what="the saved request to be redeemed by itself")
        kiosk.hold_up(VOUCHER)
        shown = kiosk.wait_for(Screen.DONE) if point in SENT_BY_THEN else redeem(kiosk)
        assert shown.repeated is (point in SENT_BY_THEN), "who saw no outcome is told it at the next scan"
        assert shown.redeemed_twd == 500
        assert cloud.redeemed_twd == 500
        assert len(cloud.bodies) == 1, "one request, however often it was sent"
