"""Where in Taiwan an address is: its county or city, and its township or district, read from how addresses are written.

The 22 counties and cities have the codes of ISO 3166-2:TW, here in the order in which people look for them: from the north
down the west coast, then the east, then the islands.
"""

import re
from dataclasses import dataclass
from typing import Final

COUNTIES: Final = {
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
_BY_NAME: Final = {name: code for code, name in COUNTIES.items()}
_DISTRICT: Final = re.compile(r"[^鄉鎮市區0-9]{1,3}[鄉鎮市區]區?")
"""Three districts have another kind of place in their name: 新市區, 左鎮區, 平鎮區."""

_POSTAL_CODE: Final = re.compile(r"\A[0-9０-９]{3,6}\s*")


@dataclass(frozen=True, slots=True)
class Place:
    """What a search goes by. Empty where the address does not say."""

    county: str = ""
    """A code of :data:`COUNTIES`."""
    district: str = ""


def place_of(address: str) -> Place:
    """Read county and district: ``宜蘭縣礁溪鄉德陽路 8 號`` is in ``ILA``, 礁溪鄉.

    台 is read as 臺; a postal code may stand first.
    """
    text = _POSTAL_CODE.sub("", address.strip()).replace("台", "臺").replace(" ", "")
    county = _BY_NAME.get(text[:3], "")
    if not county:
        return Place()
    found = _DISTRICT.match(text, 3)
    return Place(county, found[0] if found else "")
