"""Every page in every state, in four languages: no accessibility fault, nothing that sticks out sideways, nothing logged,
nobody else asked for anything; and how much the first page of each audience costs over the wire.

Each language is walked once, so that both sizes and both schemes are seen twice; ``make screens`` holds all sixteen looks to
the same rules when it takes their pictures.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Response

from tests.support.browser import axe_violations, watched_page
from tests.support.web import DOORS, PASSWORD
from tests.support.web_tour import CHAPTERS, TOLERATED, Chapter, Look, Stage, Tour, open_stage

FIRST_LOAD_BYTES_MAX = 150_000
"""Of everything a page asks for, with an empty cache; nothing here is compressed on its way."""

LOOKS = (
    Look("desktop", "light", "zh-Hant-TW"),
    Look("phone", "dark", "en"),
    Look("phone", "light", "ja"),
    Look("desktop", "dark", "ko"),
)
FIRST_PAGES = {"boan-admin": "/merchant/", "boan-scan-1": "/scan", "office-1": "/office/", "reviewer-1": "/office/applications"}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with open_stage() as stage:
        yield stage


@pytest.mark.parametrize("chapter", CHAPTERS)
@pytest.mark.parametrize("look", LOOKS, ids="-".join)
def test_every_state_of_every_page(browser: Browser, stage: Stage, look: Look, chapter: Chapter) -> None:
    context = look.context(browser)
    faults: dict[str, list[str]] = {}
    seen: list[str] = []
    try:
        with watched_page(context, tolerated=TOLERATED) as page:

            def check(name: str) -> None:
                seen.append(name)
                found = axe_violations(page)
                if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
                    found.append("sticks out sideways")
                if page.locator("html").get_attribute("lang") != look.language:
                    found.append("is in another language")
                if found:
                    faults[name] = found

            Tour(page, stage, check).walk(chapter)
    finally:
        context.close()
    assert faults == {}
    assert len(seen) == len(set(seen)) >= 3


def first_load(page: Page, address: str) -> tuple[int, int]:
    """Answers, and bytes of them, that showing a page takes."""
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(address, wait_until="load")
    sizes = [answer.request.sizes() for answer in answers]
    return len(answers), sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)


def test_first_page_of_each_audience_is_light(browser: Browser, stage: Stage) -> None:
    for staff_id, path in {"nobody": "/", **FIRST_PAGES}.items():
        context = browser.new_context(locale="zh-TW")
        page = context.new_page()
        if staff_id in DOORS:
            door, login = DOORS[staff_id]
            page.goto(f"{stage.address}/sign-in/{door}")
            page.locator("#login").fill(login)
            page.locator("#password").fill(PASSWORD)
            with page.expect_navigation():
                page.locator("main button.primary").click()
        fresh = browser.new_context(locale="zh-TW", storage_state=context.storage_state())
        answers, total = first_load(fresh.new_page(), stage.address + path)
        assert answers >= 3, "the page, its style and its script"
        assert total <= FIRST_LOAD_BYTES_MAX, (staff_id, total)
        fresh.close()
        context.close()
