"""Which new passwords are refused, and that the office's roles are the same wherever they are named."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from cloud.adapters.passwords import common_passwords
from cloud.domain.passwords import weakness_of
from cloud.domain.setup import OfficeRole
from cloud.ports.people import OFFICE_ROLES, ROLES

COMMON = common_passwords()
PERSONAL = ("boan", "陳宥安", "chen-you-an")


@pytest.mark.parametrize(
    ("password", "weakness"),
    [
        ("ninechars", "short"),
        ("x" * 257, "long"),
        ("1234567890", "repeating"),
        ("aaaaaaaaaaaa", "repeating"),
        ("hahahahahahaha", "repeating"),
        ("qwertyuiop", "repeating"),
        ("password1234", "common"),
        ("P@ssw0rd!!!!", "common"),
        ("Sunshine2026", "common"),
        ("Vouchers-2026", "common"),
        ("5201314taiwan", "common"),
        ("chen-you-an1", "personal"),
        ("seven quiet herons", None),
        ("陳宥安的早餐有蛋餅與豆漿", None),
        ("K7#fQz-19vLp", None),
    ],
)
def test_weak_passwords_are_named(password: str, weakness: str | None) -> None:
    assert weakness_of(password, personal=PERSONAL, is_common=COMMON.__contains__) == weakness


def test_list_is_in_lower_case_and_worth_having() -> None:
    assert len(COMMON) > 150
    assert all(one == one.casefold().strip() for one in COMMON)


def test_roles_of_the_setup_file_are_those_of_the_office() -> None:
    assert get_args(OfficeRole) == OFFICE_ROLES
    assert set(OFFICE_ROLES) < set(ROLES)


@pytest.mark.parametrize("module", ["cloud.wiring.workers", "cloud.wiring.parts", "cloud.cli"])
def test_sign_in_library_is_loaded_by_the_web_only(module: str) -> None:
    look = f"import sys, {module}; print(sorted({{'flask_security', 'flask', 'passlib', 'webauthn'}} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert found.stdout.strip() == "[]"
