"""The counties and cities of Taiwan, by the letters of their postal addresses. Pure.

Codes are those of ISO 3166-2:TW. An address begins with its county, written with either of the two letters for Tai.
"""

from collections.abc import Mapping
from typing import Final

COUNTIES: Final[Mapping[str, tuple[str, str]]] = {
    "KEE": ("基隆市", "Keelung"),
    "TPE": ("臺北市", "Taipei"),
    "NWT": ("新北市", "New Taipei"),
    "TAO": ("桃園市", "Taoyuan"),
    "HSZ": ("新竹市", "Hsinchu City"),
    "HSQ": ("新竹縣", "Hsinchu County"),
    "MIA": ("苗栗縣", "Miaoli"),
    "TXG": ("臺中市", "Taichung"),
    "CHA": ("彰化縣", "Changhua"),
    "NAN": ("南投縣", "Nantou"),
    "YUN": ("雲林縣", "Yunlin"),
    "CYI": ("嘉義市", "Chiayi City"),
    "CYQ": ("嘉義縣", "Chiayi County"),
    "TNN": ("臺南市", "Tainan"),
    "KHH": ("高雄市", "Kaohsiung"),
    "PIF": ("屏東縣", "Pingtung"),
    "ILA": ("宜蘭縣", "Yilan"),
    "HUA": ("花蓮縣", "Hualien"),
    "TTT": ("臺東縣", "Taitung"),
    "PEN": ("澎湖縣", "Penghu"),
    "KIN": ("金門縣", "Kinmen"),
    "LIE": ("連江縣", "Lienchiang"),
}
"""Chinese and English name by code, from north to south, islands last."""

_BY_NAME: Final = {names[0]: code for code, names in COUNTIES.items()}
_NAME_LENGTH: Final = 3


def county_of(address: str) -> str | None:
    """Return the code of the county that an address begins with, behind a postal code where there is one."""
    start = address.strip().lstrip("0123456789 -").replace("台", "臺")[:_NAME_LENGTH]
    return _BY_NAME.get(start)
