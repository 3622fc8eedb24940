"""Counties by the start of an address."""

import pytest

from cloud.domain.counties import COUNTIES, county_of


@pytest.mark.parametrize(
    ("address", "county"),
    [
        ("臺北市中正區忠孝西路一段 49 號", "TPE"),
        ("台北市中正區忠孝西路一段 49 號", "TPE"),
        ("260 宜蘭縣宜蘭市校舍路 1 號", "ILA"),
        ("100-45 台中市西屯區", "TXG"),
        ("新竹縣竹北市", "HSQ"),
        ("新竹市東區", "HSZ"),
        ("宜蘭市校舍路 1 號", None),
        ("", None),
        ("No. 1, Xiaoshe Rd., Yilan", None),
    ],
)
def test_county_of_an_address(address: str, county: str | None) -> None:
    assert county_of(address) == county


def test_every_county_is_found_by_its_name() -> None:
    assert len(COUNTIES) == 22
    assert {county_of(names[0]) for names in COUNTIES.values()} == set(COUNTIES)
