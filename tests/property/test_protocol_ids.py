"""UUIDv7 and the reference that a person reads aloud."""

from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.ids import REFERENCE_LENGTH, reference, uuid7

times = st.integers(0, 2**48 - 1)
noises = st.binary(min_size=10, max_size=10)


@given(times, noises)
def test_version_variant_and_time(unix_ms: int, random: bytes) -> None:
    made = uuid7(unix_ms, random)
    assert (made.version, made.variant) == (7, RFC_4122)
    assert int.from_bytes(made.bytes[:6], "big") == unix_ms


@given(times, times, noises, noises)
def test_later_ids_sort_later(one_ms: int, other_ms: int, one: bytes, other: bytes) -> None:
    if one_ms < other_ms:
        assert uuid7(one_ms, one) < uuid7(other_ms, other)
        assert str(uuid7(one_ms, one)) < str(uuid7(other_ms, other))


@given(times, noises, noises)
def test_all_74_bits_of_noise_count(unix_ms: int, one: bytes, other: bytes) -> None:
    # The top six bits of the eighty do not fit.
    mask = (1 << 74) - 1
    same = int.from_bytes(one, "big") & mask == int.from_bytes(other, "big") & mask
    assert (uuid7(unix_ms, one) == uuid7(unix_ms, other)) == same


@pytest.mark.parametrize(("unix_ms", "random"), [(-1, bytes(10)), (2**48, bytes(10)), (0, bytes(9)), (0, bytes(11))])
def test_out_of_range_is_refused(unix_ms: int, random: bytes) -> None:
    with pytest.raises(ValueError, match="UUIDv7"):
        uuid7(unix_ms, random)


@given(st.uuids())
def test_a_reference_can_be_read_aloud(request_id: UUID) -> None:
    text = reference(request_id)
    assert len(text) == REFERENCE_LENGTH + 1
    assert text[3] == "-"
    assert not set(text.replace("-", "")) - set("23456789ABCDEFGHJKLMNPQRSTUVWXYZ")
    assert not set(text) & set("01IO")


@given(st.uuids(), st.integers(0, 2**30 - 1))
def test_a_reference_tells_apart_what_its_thirty_bits_tell_apart(request_id: UUID, low: int) -> None:
    other = UUID(int=request_id.int >> 30 << 30 | low)
    assert (reference(other) == reference(request_id)) == (other == request_id)
