"""The example programme of the documentation, and what tests need around it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from cloud.adapters.sql.programmes import SqlSetupStore
from cloud.domain.setup import Setup, decode_setup
from cloud.services.setup import load_setup

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "programme.toml"
PROGRAMME_ID = "travel-2026"
EXPIRED_PROGRAMME_ID = "spring-2025"
LOADED_AT = datetime(2026, 10, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """One merchant's site, with somebody who works there."""

    merchant_id: str
    site_id: str
    staff_id: str
    item_category: str


PLACES = (
    Place("rizuo-travel", "rizuo-taipei", "rizuo-scan-1", "package_tour"),
    Place("boan-hotel", "boan-lobby", "boan-scan-1", "room"),
    Place("yunling-park", "yunling-gate", "yunling-scan-1", "admission"),
    Place("qingmu-spa", "qingmu-counter", "qingmu-scan-1", "bath"),
)


def example_setup() -> Setup:
    """The example, decoded and checked."""
    return decode_setup(EXAMPLE.read_bytes())


def load_example(engine: Engine) -> None:
    """Load the example. Passwords are not hashed for real: that takes a second, and no test here signs in."""
    load_setup(
        SqlSetupStore(engine),
        example_setup(),
        hash_password=lambda password: f"hash of {len(password)} characters",
        now=LOADED_AT,
    )
