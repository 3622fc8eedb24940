"""County and district, read from addresses as people in Taiwan write them."""

import pytest

from cloud.domain.places import COUNTIES, Place, place_of


@pytest.mark.parametrize(
    ("address", "county", "district"),
    [
        ("臺北市中正區北平西路 3 號", "TPE", "中正區"),
        ("台北市 中正區北平西路3號", "TPE", "中正區"),
        ("100臺北市中正區北平西路3號", "TPE", "中正區"),
        ("262303 宜蘭縣礁溪鄉德陽路 8 號", "ILA", "礁溪鄉"),
        ("彰化縣彰化市中山路二段 416 號", "CHA", "彰化市"),
        ("臺南市新市區中興街 1 號", "TNN", "新市區"),
        ("台南市左鎮區 5 號", "TNN", "左鎮區"),
        ("桃園市平鎮區環南路 2 號", "TAO", "平鎮區"),
        ("嘉義市東區中山路 1 號", "CYI", "東區"),
        ("嘉義縣阿里山鄉中正村 59 號", "CYQ", "阿里山鄉"),
        ("高雄市那瑪夏區秀嶺巷 9 號", "KHH", "那瑪夏區"),
        ("臺東縣太麻里鄉金崙 10 號", "TTT", "太麻里鄉"),
        ("連江縣南竿鄉介壽村 76 號", "LIE", "南竿鄉"),
        ("花蓮縣", "HUA", ""),
        ("中山路 1 號", "", ""),
        ("", "", ""),
    ],
)
def test_addresses(address: str, county: str, district: str) -> None:
    assert place_of(address) == Place(county, district)


def test_all_counties_and_cities() -> None:
    assert len(COUNTIES) == len(set(COUNTIES.values())) == 22
    for code, name in COUNTIES.items():
        assert place_of(f"{name}中正區 1 號") == Place(code, "中正區")
