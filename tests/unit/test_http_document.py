"""The OpenAPI document of merchants' programs: sound by itself, and about everything that the interface says."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from cloud.domain.webhooks import EVENTS
from cloud.web.http_api.problems import KINDS, REASONS
from protocol.reasons import Reason
from tests.support.documents import http_document

DOCUMENT = http_document()
OPERATIONS = [
    (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if path != "/api/v1/enrolments"
]


def test_every_schema_is_one() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"}), name


def test_every_operation_says_what_a_program_must_know() -> None:
    ids = [operation["operationId"] for *_, operation in OPERATIONS]
    assert len(set(ids)) == len(ids) > 10
    for method, path, operation in OPERATIONS:
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert set(re.findall(r"{(\w+)}", path)) <= names, path
        assert ("Idempotency-Key" in names) == (method == "post"), path
        assert {"401", "403", "429", "500", "503"} <= set(operation["responses"]), path
        for status, response in operation["responses"].items():
            media = "application/json" if int(status) < 300 else "application/problem+json"
            assert status == "304" or list(response["content"]) == [media], (path, status)
        assert "RateLimit" in next(iter(operation["responses"].values()))["headers"], path


def test_every_problem_and_reason_is_told_where_it_can_come() -> None:
    told = json.dumps(OPERATIONS)
    for code in [code for code in KINDS if code != "method_not_allowed"] + list(REASONS):
        assert f"`{code}`" in told, code
    assert {Reason.SEQUENCE_CONFLICT, Reason.FORGED} & set(REASONS) == set()


def test_every_event_has_its_webhook() -> None:
    assert list(DOCUMENT["webhooks"]) == list(EVENTS)
    for name, webhook in DOCUMENT["webhooks"].items():
        body = webhook["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body["properties"]["type"] == {"const": name}
        assert body["properties"]["data"]["$ref"].rsplit("/", 1)[-1] in DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize("name", ["CheckRequest", "OrderRequest"])
def test_examples_fit(name: str) -> None:
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    example = {"voucher_no": "566780776770", "last_four": "4321"}
    if name == "OrderRequest":
        example = {"vouchers": [example], "item_category": "room", "order_total_twd": 5050}  # type: ignore[dict-item]
    jsonschema_rs.validator_for(schema).validate(example)
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validator_for(schema).validate(example | {"note": "x"})
