"""Fixtures of the browser tests."""

from tests.support.browser import browser, page

__all__ = ["browser", "page"]
