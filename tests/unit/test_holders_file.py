"""The list of holders: read strictly, and never quoted."""

import traceback

import pytest

from cloud.adapters.holders_file import FILE_BYTES_MAX, HoldersError, read_holders
from cloud.domain.holders import Holder, holder_with_digits, holder_with_id


def read(text: str) -> list[Holder]:
    return read_holders(text.encode("utf-8"))


def test_full_ids_are_cut_at_once() -> None:
    (one, other) = read("name,national_id\n王小明,A123456789\n陳美玲,a800000014\n")
    assert (one.name_masked, one.id_masked, one.digits) == ("王●●", "A●●●●●●●●●", "6789")
    assert (other.name_masked, other.digits) == ("陳●●", "0014")


def test_last_fours_may_be_any_characters() -> None:
    holders = read('last_four,name\n0067,王小明\n☂♞⚘♜,"Lee, Ada"\n')
    assert [(one.name_masked, one.id_masked, one.digits) for one in holders] == [
        ("王●●", "●●●●●●●●●●", "0067"),
        ("L●●", "●●●●●●●●●●", "☂♞⚘♜"),
    ]


def test_a_spreadsheets_file_is_taken() -> None:
    content = "\ufeffName , LAST_FOUR\r\n王小明,6789\r\n".encode()
    assert [one.digits for one in read_holders(content)] == ["6789"]


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("", 1, "must name the columns"),
        ("name\n王小明\n", 1, "must name the columns"),
        ("name,national_id,last_four\n王小明,A123456789,6789\n", 1, "must name the columns"),
        ("name,name,last_four\n王,王,6789\n", 1, "must name the columns"),
        ("name,last_four\n", 1, "no holders"),
        ("name,last_four\n王小明,6789\n李四,678\n", 3, "Line 3: the last four of an ID are 4 characters."),
        ("name,last_four\n王小明,6789,x\n", 2, "another number of columns"),
        ("name,last_four\n王小明\n", 2, "another number of columns"),
        ("name,last_four\n  ,6789\n", 2, "Line 2: a holder has a name."),
        ("name,national_id\n王小明,A123456788\n", 2, "Line 2: the ID is neither"),
        ('name,last_four\n"王小明,6789\n', 2, "Line 2 is not CSV."),
    ],
)
def test_the_first_broken_line_is_named(text: str, line: int, sentence: str) -> None:
    with pytest.raises(HoldersError, match=sentence) as caught:
        read(text)
    assert caught.value.line == line


def test_another_encoding_is_named_with_its_line() -> None:
    with pytest.raises(HoldersError, match="Line 3 is not UTF-8") as caught:
        read_holders(b"name,last_four\nAda,6789\n" + "王小明,6789\n李四,6789\n".encode("big5"))
    assert caught.value.line == 3


def test_a_list_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(HoldersError, match="larger than 16 MiB"):
        read_holders(bytes(FILE_BYTES_MAX + 1))


def test_no_complaint_quotes_a_person() -> None:
    with pytest.raises(HoldersError) as caught:
        read("name,national_id\n獨一無二,A123454321\n")
    told = "".join(traceback.format_exception(caught.value, limit=0)) + repr(caught.value)
    assert "4321" not in told
    assert "獨" not in told


def test_digits_are_in_no_repr() -> None:
    assert "6789" not in repr([holder_with_id("王小明", "A123456789"), holder_with_digits("王小明", "6789")])
