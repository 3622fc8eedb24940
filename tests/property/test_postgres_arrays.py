"""Whatever stands in a column, PostgreSQL reads from its array literal what was written."""

from collections.abc import Iterator
from datetime import UTC
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.adapters.ingest_rows import Kind
from cloud.adapters.postgres_arrays import COLUMN_TYPES, array_of, encode_instant, register_arrays
from tests.support.postgres import Cluster

pytest_plugins = ("tests.support.databases",)

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
BIGINTS = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(scope="module")
def server(postgres: Cluster) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        register_arrays(connection)
        yield connection


def _read(server: "psycopg.Connection[Any]", kind: Kind, values: list[Any]) -> Any:
    query = (
        f"SELECT array_agg(w.value ORDER BY w.place) FROM unnest(%s::{COLUMN_TYPES[kind]}[]) WITH ORDINALITY AS w(value, place)"
    )
    return server.execute(query, [array_of(kind, values)]).fetchone()


@given(values=st.lists(st.none() | TEXTS | st.sampled_from(["", "NULL", '"', "\\", "{}", ",", '","']), min_size=1))
def test_texts(server: "psycopg.Connection[Any]", values: list[str | None]) -> None:
    assert _read(server, "text", values) == (values,)


@given(values=st.lists(st.none() | BIGINTS, min_size=1))
def test_whole_numbers(server: "psycopg.Connection[Any]", values: list[int | None]) -> None:
    assert _read(server, "int", values) == (values,)


@given(values=st.lists(st.binary(), min_size=1))
def test_bytes(server: "psycopg.Connection[Any]", values: list[bytes]) -> None:
    assert _read(server, "bytes", values) == (values,)


@given(values=st.lists(st.uuids(), min_size=1))
def test_ids(server: "psycopg.Connection[Any]", values: list[UUID]) -> None:
    assert _read(server, "uuid", [value.bytes for value in values]) == (values,)


@given(values=st.lists(st.datetimes(timezones=st.just(UTC)), min_size=1))
def test_instants(server: "psycopg.Connection[Any]", values: list[Any]) -> None:
    assert _read(server, "instant", [encode_instant(value) for value in values]) == (values,)
