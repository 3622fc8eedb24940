"""Every document that is made from the code, and the command that writes them: ``python -m tests.support.documents``.

Whole files: the golden vectors, the AsyncAPI and the OpenAPI document. Parts of ``docs/protocol.md``: what stands between
``<!-- generated: NAME -->`` and ``<!-- end -->``; the prose around them is written by hand. ``tests/unit/test_docs_drift.py``
holds all of them to what this module makes.
"""

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from uuid import UUID

import msgspec

from cloud.web.http_api.blueprint import operations_of
from cloud.web.http_api.document import api_document
from cloud.web.http_api.parts import ApiParts
from protocol import limits, messages, reasons
from protocol.asyncapi import asyncapi_document
from protocol.reasons import Reason
from protocol.words import load_words
from tests.support import vectors

DOCS: Final = Path(__file__).parents[2] / "docs"
PROTOCOL: Final = DOCS / "protocol.md"
_SECTION: Final = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_STRUCTS: Final = (
    messages.Check,
    messages.Redeem,
    messages.Release,
    messages.CheckAccepted,
    messages.RedeemAccepted,
    messages.Released,
    messages.Refused,
    messages.Refusal,
    messages.DeviceState,
)
_REDEEM: Final = 2
"""Index of the first redeem request among the vectors' messages; its answer follows."""


def documents() -> dict[Path, str]:
    """Return every generated or part-generated document with the content that it should have."""
    return {
        vectors.PATH: vectors.text(),
        DOCS / "asyncapi.json": _json(asyncapi_document()),
        DOCS / "openapi.json": _json(http_document()),
        PROTOCOL: fill(PROTOCOL.read_text("utf-8")),
    }


def http_document() -> dict[str, Any]:
    """The OpenAPI document of the whole host. Nothing is asked of the parts: the operations only say what they are."""
    nothing: Any = None
    parts = ApiParts(**dict.fromkeys(ApiParts.__slots__, nothing))
    return api_document(operations_of(parts))


def fill(text: str) -> str:
    """Return the text with every generated part made anew.

    Raises:
        KeyError: a part has a name that nobody makes.
    """
    return _SECTION.sub(lambda found: f"{found[1]}\n{SECTIONS[found['name']]().strip()}\n\n{found[3]}", text)


def attribute_docs(module: ModuleType) -> dict[str, dict[str, str]]:
    """Return the docstrings under the attributes of each class of a module, and of the module itself under ``""``."""
    tree = ast.parse(inspect.getsource(module))
    classes = {node.name: dict(_documented(node.body)) for node in tree.body if isinstance(node, ast.ClassDef)}
    return {"": dict(_documented(tree.body)), **classes}


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node, below in pairwise(body):
        match node, below:
            case (
                (ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)])),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, _markdown(inspect.cleandoc(text))


def _markdown(docstring: str) -> str:
    text = re.sub(r":[a-z]+:`([^`]+)`", r"`\1`", docstring.replace("``", "`"))
    return " ".join(text.split())


def _reason_table() -> str:
    meanings = attribute_docs(reasons)["Reason"]
    words = load_words()
    rows = []
    for number, reason in enumerate(Reason, start=1):
        zh, en = (words.sentence(reason, language) for language in ("zh-Hant-TW", "en"))
        rows.append(f"| {number} | `{reason}` | {meanings[reason.name]} | {zh.what}{zh.next} | {en.what} {en.next} |")
    return "| | reason | when | zh-Hant-TW | en |\n|---|---|---|---|---|\n" + "\n".join(rows)


def _limit_table() -> str:
    meanings = attribute_docs(limits)[""]
    rows = [
        f"| `{name}` | {getattr(limits, name):,} | {meanings.get(name, '')} |"
        for name in vars(limits)
        if name.isupper() and not name.startswith("_")
    ]
    return "| limit | value | why |\n|---|---:|---|\n" + "\n".join(rows)


def _message_tables() -> str:
    _, schemas = msgspec.json.schema_components(_STRUCTS)
    meanings = attribute_docs(messages)
    parts = []
    for struct in _STRUCTS:
        schema, documented = schemas[struct.__name__], meanings[struct.__name__]
        rows = [
            f"| `{name}` | {_shape(field)}{'' if name in schema['required'] else ', may be absent'} "
            f"| {documented.get(name) or _tag(field)} |"
            for name, field in schema["properties"].items()
        ]
        intro = _markdown(inspect.getdoc(struct) or "")
        parts.append(f"**{struct.__name__}.** {intro}\n\n| field | type | meaning |\n|---|---|---|\n" + "\n".join(rows))
    return "\n\n".join(parts)


def _tag(field: dict[str, Any]) -> str:
    return "tells this answer from the others" if "enum" in field else field["description"]


def _shape(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[-1]
    if "enum" in field:
        return " or ".join(f'`"{value}"`' for value in field["enum"])
    if "anyOf" in field:
        return _shape(field["anyOf"][0])
    if field["type"] == "array":
        count = f" of {field['minItems']} to {field['maxItems']}" if "maxItems" in field else ""
        return f"list{count}: {_shape(field['items'])}"
    if field["type"] == "integer":
        return f"integer, {field['minimum']:,} to {field['maximum']:,}" if "maximum" in field else "integer"
    return _text_shape(field)


def _text_shape(field: dict[str, Any]) -> str:
    if field.get("format") == "uuid":
        return "UUID text"
    if "maxLength" not in field:
        return "text"
    fewest, most = field.get("minLength", 0), field["maxLength"]
    return f"text of {most}" if fewest == most else f"text of {fewest} to {most}"


def _key_example() -> str:
    agreed = vectors.build()["key_agreement"]
    return _block("\n".join(f"{name:14} {value}" for name, value in agreed.items()))


def _seal_example() -> str:
    message = _redeem_message()
    body = json.loads(message["body"])
    context = b"\0".join(
        (
            b"vk1.seal",
            vectors.ADDRESS.device_id.encode(),
            bytes.fromhex(message["correlation_data"]),
            ",".join(body["vouchers"]).encode(),
        )
    )
    lines = {
        "key": vectors.build()["key_agreement"]["seal_key"],
        "nonce": bytes.fromhex(message["correlation_data"])[4:].hex(),
        "plaintext": "".join(message["digits"]).encode().hex(),
        "associated": context.hex(),
        "sealed": body["sealed"],
    }
    return _block("\n".join(f"{name:10} {value}" for name, value in lines.items()))


def _proof_example() -> str:
    message = _redeem_message()
    attributes = dict(message["user_properties"])
    parts = {
        "type": attributes["type"].encode(),
        "source": attributes["source"].encode(),
        "id": UUID(attributes["id"]).bytes,
        "time": attributes["time"].encode(),
        "body": message["body"].encode(),
    }
    rows = [f"{name:7} {len(part):08x} {_short(part.hex())}" for name, part in parts.items()]
    key = vectors.build()["key_agreement"]["request_key"]
    return _block("\n".join([f"key     {key}", *rows, f"auth    {attributes['auth']}"]))


def _short(text: str) -> str:
    return text if len(text) <= 72 else f"{text[:48]}…{text[-16:]}"


def _message_example() -> str:
    asked, answered = _redeem_message(), vectors.build()["messages"][_REDEEM + 1]
    return "\n\n".join(
        [
            "The kiosk publishes:",
            _publish(asked),
            f"Its link, which the next redeem request names as `previous`: `{asked['link']}`.",
            "The cloud answers:",
            _publish(answered),
        ]
    )


def _publish(message: dict[str, Any]) -> str:
    lines = [f"PUBLISH {message['topic']}  (QoS 1)"]
    if "response_topic" in message:
        lines.append(f"  Response Topic     {message['response_topic']}")
    lines += [f"  Correlation Data   {message['correlation_data']}", "  Content Type       application/json"]
    lines += [f"  User Property      {name} = {value}" for name, value in message["user_properties"]]
    return _block("\n".join([*lines, "", message["body"]]))


def _redeem_message() -> dict[str, Any]:
    message: dict[str, Any] = vectors.build()["messages"][_REDEEM]
    return message


def _block(text: str) -> str:
    return f"```text\n{text}\n```"


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


SECTIONS: Final[dict[str, Callable[[], str]]] = {
    "reasons": _reason_table,
    "limits": _limit_table,
    "messages": _message_tables,
    "keys": _key_example,
    "seal": _seal_example,
    "proof": _proof_example,
    "example": _message_example,
}


if __name__ == "__main__":
    for path, content in documents().items():
        path.write_text(content, encoding="utf-8")
        print(f"wrote {path}")
