"""The counties and cities of Taiwan, and where an address is: read from how addresses are written. Pure.

Codes are those of ISO 3166-2:TW. An address begins with its county, written with either of the two letters for Tai; a postal
code may stand in front. What counties are called in other languages stands with the words of the pages.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

COUNTIES: Final[Mapping[str, str]] = {
    "KEE": "基隆市",
    "TPE": "臺北市",
    "NWT": "新北市",
    "TAO": "桃園市",
    "HSZ": "新竹市",
    "HSQ": "新竹縣",
    "MIA": "苗栗縣",
    "TXG": "臺中市",
    "CHA": "彰化縣",
    "NAN": "南投縣",
    "YUN": "雲林縣",
    "CYI": "嘉義市",
    "CYQ": "嘉義縣",
    "TNN": "臺南市",
    "KHH": "高雄市",
    "PIF": "屏東縣",
    "ILA": "宜蘭縣",
    "HUA": "花蓮縣",
    "TTT": "臺東縣",
    "PEN": "澎湖縣",
    "KIN": "金門縣",
    "LIE": "連江縣",
}
"""Name by code, in the order in which people look for them: from the north down the west coast, then the east, islands last."""

_BY_NAME: Final = {name: code for code, name in COUNTIES.items()}
_NAME_LENGTH: Final = 3
_DISTRICT: Final = re.compile(r"[^鄉鎮市區0-9]{1,3}[鄉鎮市區]區?")
"""Four districts have another kind of place in their name: 新市區, 左鎮區, 平鎮區, 前鎮區."""

_POSTAL_CODE: Final = "0123456789０１２３４５６７８９-"


@dataclass(frozen=True, slots=True)
class Area:
    """What an address tells of where it is; None: it does not say."""

    county: str | None = None
    """A code of :data:`COUNTIES`."""
    district: str | None = None


def area_of(address: str) -> Area:
    """Read county and district: ``宜蘭縣礁溪鄉德陽路 8 號`` is in ``ILA``, 礁溪鄉."""
    text = "".join(address.split()).lstrip(_POSTAL_CODE).replace("台", "臺")
    county = _BY_NAME.get(text[:_NAME_LENGTH])
    if county is None:
        return Area()
    found = _DISTRICT.match(text, _NAME_LENGTH)
    return Area(county, found[0] if found else None)
