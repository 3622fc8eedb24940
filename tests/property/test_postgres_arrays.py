"""Whatever stands in a column, PostgreSQL reads from its array literal what was written."""

from collections.abc import Iterator
from datetime import UTC
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.adapters.ingest_rows import Kind
from cloud.adapters.postgres_arrays import COLUMN_TYPES, array_of, encode_instant
from cloud.adapters.postgres_pipeline import PipelinedConnection
from tests.support.postgres import Cluster

pytest_plugins = ("tests.support.databases",)

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
BIGINTS = st.integers(-(2**63), 2**63 - 1)
QUERIES = {
    kind: f"SELECT array_agg(w.value ORDER BY w.place) FROM unnest($1::{type_name}[]) WITH ORDINALITY AS w(value, place)"
    for kind, type_name in COLUMN_TYPES.items()
}


@pytest.fixture(scope="module")
def server(postgres: Cluster) -> Iterator[PipelinedConnection]:
    with PipelinedConnection.connect(postgres.url("postgres"), autocommit=True, options="-c timezone=UTC") as connection:
        connection.prepare(list(QUERIES.values()))
        yield connection


def _read(server: PipelinedConnection, kind: Kind, values: list[Any]) -> Any:
    (((found,),),) = server.run([(QUERIES[kind], [array_of(kind, values)])])
    return (found,)


@given(values=st.lists(st.none() | TEXTS | st.sampled_from(["", "NULL", '"', "\\", "{}", ",", '","']), min_size=1))
def test_texts(server: PipelinedConnection, values: list[str | None]) -> None:
    assert _read(server, "text", values) == (values,)


@given(values=st.lists(st.none() | BIGINTS, min_size=1))
def test_whole_numbers(server: PipelinedConnection, values: list[int | None]) -> None:
    assert _read(server, "int", values) == (values,)


@given(values=st.lists(st.binary(), min_size=1))
def test_bytes(server: PipelinedConnection, values: list[bytes]) -> None:
    assert _read(server, "bytes", values) == (values,)


@given(values=st.lists(st.uuids(), min_size=1))
def test_ids(server: PipelinedConnection, values: list[UUID]) -> None:
    assert _read(server, "uuid", [value.bytes for value in values]) == (values,)


@given(values=st.lists(st.datetimes(timezones=st.just(UTC)), min_size=1))
def test_instants(server: PipelinedConnection, values: list[Any]) -> None:
    assert _read(server, "instant", [encode_instant(value) for value in values]) == (values,)
