"""The kiosk's screen: a local page that draws views and sends keys. See :mod:`kiosk.adapters.screen.server`."""

from kiosk.adapters.screen.bench_page import Bench
from kiosk.adapters.screen.server import ScreenServer

__all__ = ["Bench", "ScreenServer"]
