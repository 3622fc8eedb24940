"""Addresses of numbered pages: what is kept, what is left out, where the ends are."""

import pytest
from flask import Flask

from cloud.web.numbered import PAGE_NO_MAX, NumberedPage, page_no


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 1),
        ("page=3", 3),
        ("page=0", 1),
        ("page=-1", 1),
        ("page=x", 1),
        ("page=٣", 1),
        ("page=99999", PAGE_NO_MAX),
        ("page=" + "9" * 99, 1),
    ],
)
def test_page_that_an_address_asks_for(query: str, number: int) -> None:
    with Flask("pages").test_request_context(f"/list?{query}"):
        assert page_no() == number


def test_filter_goes_along_and_the_first_page_needs_no_number() -> None:
    with Flask("pages").test_request_context("/list?state=all&search=&page=2"):
        page = NumberedPage.of(2, 50, 120, 50)
    assert (page.first_row, page.last_row) == (51, 100)
    assert (page.start, page.previous, page.next) == ("/list?state=all", "/list?state=all", "/list?state=all&page=3")


def test_ends_lead_nowhere() -> None:
    with Flask("pages").test_request_context("/list"):
        assert NumberedPage.of(1, 50, 120, 50).previous is None
        assert NumberedPage.of(3, 50, 120, 20).next is None
        assert NumberedPage.of(9, 50, 120, 0).next is None
        assert NumberedPage.of(1, 50, 120, 50).start == "/list"
