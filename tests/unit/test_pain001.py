"""pain.001.001.03 messages against the part of the standard's schema that they use."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import xmlschema

from cloud.domain.pain001 import NAMESPACE, Agreement, CreditTransfer, encode_pain001

SCHEMA = Path(__file__).parent.parent / "support" / "pain001_subset.xsd"
DEBTOR = Agreement("TOURISM VOUCHER PROGRAMME", "04595257", "0040037", "1234567890")
HOTEL = CreditTransfer("a" * 32, 2_000, "8120012", "987654321", "泊岸旅館股份有限公司", "24634102")
PERSON = CreditTransfer("b" * 32, 35_000, "7000021", "12345678901234", "王小明 & <民宿>", "A123456789")


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(SCHEMA)


def message(transfers: Sequence[CreditTransfer] = (HOTEL, PERSON)) -> bytes:
    return encode_pain001(
        DEBTOR, transfers, message_id="f" * 32, made_at=datetime(2021, 10, 5, 1, 30, tzinfo=UTC), value_date=date(2021, 10, 6)
    )


def texts(path: str) -> list[str | None]:
    steps = "/".join(f"{{{NAMESPACE}}}{step}" for step in path.split("/"))
    return [element.text for element in ET.fromstring(message()).findall(f".//{steps}")]


def test_it_is_valid(schema: xmlschema.XMLSchema) -> None:
    schema.validate(message().decode("utf-8"))


def test_the_schema_refuses_what_is_not_so(schema: xmlschema.XMLSchema) -> None:
    assert not schema.is_valid(message().decode("utf-8").replace("TWNCC", "USABA"))
    assert not schema.is_valid(message().decode("utf-8").replace(">2000<", ">2000.5<"))


def test_sums_stand_twice() -> None:
    assert texts("CtrlSum") == ["37000", "37000"]
    assert texts("NbOfTxs") == ["2", "2"]
    assert texts("InstdAmt") == ["2000", "35000"]


def test_a_business_is_an_organisation_and_a_person_is_not() -> None:
    assert texts("Cdtr/Id/OrgId/Othr/Id") == ["24634102"]
    assert texts("Cdtr/Id/PrvtId/Othr/Id") == ["A123456789"]


def test_chinese_and_markup_survive() -> None:
    assert texts("Cdtr/Nm") == ["泊岸旅館股份有限公司", "王小明 & <民宿>"]


def test_times() -> None:
    assert texts("CreDtTm") == ["2021-10-05T01:30:00Z"]
    assert texts("ReqdExctnDt") == ["2021-10-06"]


@pytest.mark.parametrize(
    "transfers",
    [
        [],
        [CreditTransfer("a", 0, "8120012", "1", "x", "24634102")],
        [CreditTransfer("a", 1, "8120012", "1", "x\x00y", "24634102")],
    ],
)
def test_what_is_no_payment_is_refused(transfers: list[CreditTransfer]) -> None:
    with pytest.raises(ValueError, match=r"positive amounts|cannot be printed"):
        message(transfers)
