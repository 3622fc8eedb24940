"""Documents say what the code does: generated ones are equal to it, written ones name only what exists.

``make check`` runs this module. If a generated document differs, run ``python -m tests.support.documents`` and read what
changed: it is what every kiosk in the field will meet.
"""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud.cli import make_parser
from protocol.asyncapi import asyncapi_document
from protocol.enrolment import ENROLMENT_PATH
from protocol.openapi import openapi_document
from protocol.reasons import Reason
from protocol.topics import DeviceAddress, RequestKind, lane_of
from tests.support.documents import PROTOCOL, SECTIONS, documents, http_document

ROOT = Path(__file__).parents[2]
OURS = ("protocol", "kiosk", "cloud", "hardware", "tests", "docs")
WRITTEN = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
ADDRESS = DeviceAddress("site-1", "kiosk-1")


@pytest.mark.parametrize(("path", "content"), documents().items(), ids=lambda value: getattr(value, "name", ""))
def test_generated_documents_are_what_the_code_makes(path: Path, content: str) -> None:
    assert path.read_text("utf-8") == content, "run: python -m tests.support.documents"


def test_every_generated_part_stands_once_on_the_page() -> None:
    assert sorted(re.findall(r"<!-- generated: ([a-z-]+) -->", PROTOCOL.read_text("utf-8"))) == sorted(SECTIONS)


@pytest.mark.parametrize("document", [asyncapi_document(), http_document()], ids=["asyncapi", "openapi"])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = {value for key, value in _walk(document) if key == "$ref"}
    assert references
    for reference in references:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, reference
            place = place[step]


def test_asyncapi_channels_are_the_topics() -> None:
    addresses = {
        channel["address"].format(lane=lane_of(ADDRESS.device_id), site=ADDRESS.site_id, device=ADDRESS.device_id)
        for channel in asyncapi_document()["channels"].values()
    }
    topics = {make(kind) for make in (ADDRESS.request, ADDRESS.answer) for kind in RequestKind}
    assert addresses == topics | {ADDRESS.connection}


def test_asyncapi_operations_stay_on_their_channels() -> None:
    document = asyncapi_document()
    for operation in document["operations"].values():
        for side in (operation, operation.get("reply", operation)):
            assert all(message["$ref"].startswith(side["channel"]["$ref"] + "/messages/") for message in side["messages"])


def test_documents_rank_the_reasons() -> None:
    document = asyncapi_document()
    ranked = [reason.value for reason in Reason]
    assert document["components"]["schemas"]["Reason"]["enum"] == ranked
    assert document["x-reasons-in-order-of-precedence"] == ranked


def test_documents_are_plain_json_and_always_new() -> None:
    for make in (asyncapi_document, openapi_document, http_document):
        first = make()
        assert json.loads(json.dumps(first)) == first
        first.clear()
        assert make()


def test_openapi_describes_the_enrolment_and_the_merchants_programs() -> None:
    assert list(openapi_document()["paths"]) == [ENROLMENT_PATH]
    paths = http_document()["paths"]
    assert ENROLMENT_PATH in paths
    assert len(paths) > 10


def test_every_decision_that_is_cited_is_written_down() -> None:
    numbers = {path.name[:4] for path in ADRS}
    cited = {
        (number, path.relative_to(ROOT))
        for path in _sources()
        for number in re.findall(r"\bADR (\d{4})\b", path.read_text("utf-8"))
    }
    assert {number for number, _ in cited} >= {"0005", "0006"}
    assert not {pair for pair in cited if pair[0] not in numbers}


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_a_decision_is_one_page_of_one_shape(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.match(rf"# {path.name[:4]} · \S", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Options", "Decision", "Consequences"]
    assert len(text.splitlines()) <= 80
    assert "Good, because" in text
    assert "Bad, because" in text


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", _without_code(path.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{path.name}: {link}"
        if anchor:
            assert anchor in _anchors(target), f"{path.name}: {link}"


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_paths_that_are_named_exist(path: Path) -> None:
    named = re.findall(rf"`((?:{'|'.join(OURS)})/[A-Za-z0-9_./-]+)`", path.read_text("utf-8"))
    missing = {name for name in named if not (ROOT / name.rstrip("/")).exists()}
    assert not missing


def test_the_runbook_names_commands_that_exist() -> None:
    """And leaves none out."""
    text = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    (commands,) = [action.choices for action in make_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    run = set(re.findall(r"python -m cloud --config cloud\.toml ([a-z-]+)", text))
    assert run <= set(commands)
    assert set(commands) <= run | set(re.findall(r"`([a-z-]+)[ `]", text))


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield key, below
            yield from _walk(below)
    elif isinstance(value, list):
        for below in value:
            yield from _walk(below)


def _sources() -> Iterator[Path]:
    yield from WRITTEN
    for folder in OURS:
        yield from (ROOT / folder).rglob("*.py")


def _without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
