"""The setup file: the example is sound, and each mistake is one sentence."""

import pytest

from cloud.domain.setup import SetupError, decode_setup, door_of
from cloud.ports.people import OFFICE_ROLES
from tests.support.setups import EXAMPLE, EXPIRED_PROGRAMME_ID, example_setup

CATEGORIES = ["travel_agency", "lodging", "amusement", "hotspring_or_ppp"]


def changed(old: str, new: str) -> bytes:
    text = EXAMPLE.read_text("utf-8")
    assert old in text
    return text.replace(old, new, 1).encode("utf-8")


def test_the_example_has_a_merchant_and_an_admin_behind_every_door() -> None:
    setup = example_setup()
    assert [merchant.merchant_category for merchant in setup.merchants] == CATEGORIES
    for merchant in setup.merchants:
        assert {person.role for person in merchant.staff} == {"merchant_admin", "scan_staff"}
        assert merchant.account is not None
    assert {item.merchant_category for item in setup.item_categories} == set(CATEGORIES)
    assert {officer.role for officer in setup.office} == set(OFFICE_ROLES)


def test_the_example_has_an_expired_programme() -> None:
    current, expired = example_setup().programmes
    assert expired.programme_id == EXPIRED_PROGRAMME_ID
    assert expired.ends_on < current.starts_on


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[[programmes]]", "[[programme]]", "unknown field `programme`"),
        ("[[programmes]]", "[[programmes", "cannot be used"),
        ("face_value_twd = 1000", "face_value_twd = 0", "face_value_twd"),
        ("face_value_twd = 1000", "face_value_twd = 1000.5", "face_value_twd"),
        ('programme_id = "travel-2026"', 'programme_id = "Travel 2026"', "programme_id"),
        ('programme_id = "spring-2025"', 'programme_id = "travel-2026"', "The programme_id travel-2026 comes 2 times."),
        ("ends_on = 2027-04-30", "ends_on = 2026-04-30", "Programme travel-2026 ends before it starts."),
        ('["lodging", "amusement"]', '["lodging", "museum"]', "for museum, which has no item category."),
        ('merchant_category = "amusement"\naccount', 'merchant_category = "museum"\naccount', "which has no item category."),
        ('ubn = "00375951"', 'ubn = "00375952"', "Merchant rizuo-travel: '00375952' is not a business number."),
        ('payee_id = "00375951"', 'payee_id = "A123456788"', "neither a business number nor an ID."),
        ('site_id = "boan-harbour" }', 'site_id = "yunling-gate" }', "stands at yunling-gate, which is not its site."),
        ('", site_id = "boan-harbour" }', '" }', "boan-scan-2 scans, but at no site."),
        ('login = "boan2"', 'login = "boan1"', "The login scan boan1 comes 2 times."),
        ('staff_id = "office-1"', 'staff_id = "boan-admin"', "The staff_id boan-admin comes 2 times."),
        (
            '"宜蘭縣頭城鎮港口路',
            '"頭城鎮港口路',
            "Merchant boan-hotel: the address of boan-harbour does not begin with a county.",
        ),
        ('password = "voucher-demo", role', 'password = "short", role', "password"),
    ],
)
def test_a_mistake_is_one_sentence(old: str, new: str, sentence: str) -> None:
    with pytest.raises(SetupError, match=sentence.replace("[", r"\[")) as caught:
        decode_setup(changed(old, new))
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(SetupError, match="cannot be used"):
        decode_setup(b"\xff\xfe")


def test_a_password_is_not_shown() -> None:
    setup = example_setup()
    people: list[object] = [setup.office[0], setup.merchants[0].staff[0], setup.merchants[0]]
    assert not any("voucher-demo" in repr(person) for person in people)
    with pytest.raises(SetupError) as caught:
        decode_setup(changed('password = "voucher-demo", role', "password = 12345678901, role"))
    assert "12345678901" not in str(caught.value)


def test_admins_enter_by_category_and_scan_staff_by_their_own_door() -> None:
    merchant = example_setup().merchants[1]
    assert [door_of(merchant, person) for person in merchant.staff] == ["lodging", "scan", "scan"]
