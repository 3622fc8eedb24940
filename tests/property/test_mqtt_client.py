"""The client that reads blocks beside the stock client, on the same bytes from a real socket, cut at every place."""

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from cloud.adapters.mqtt_client import BLOCK_BYTES, BlockClient
from cloud.adapters.mqtt_wire import Publish
from tests.support.mqtt_packets import Message, messages, packed_by_paho

PACKET_BYTES_MAX = 16_384
CONNACK = b"\x20\x03\x00\x00\x00"
SUBACK = b"\x90\x05\x00\x01\x00\x01\x01"
PINGRESP = b"\xd0\x00"
UNSUBACK = b"\xb0\x04\x00\x02\x00\x00"
QOS_0 = b"\x30\x05\x00\x01t\x00p"
QOS_2 = b"\x34\x07\x00\x01t\x00\x05\x00p"
PUBREL = b"\x62\x02\x00\x05"
BROKEN = b"\x32\x04\x00\x09tt"
DISCONNECT = b"\xe0\x01\x8b"


def plain(number: int, payload: bytes = b"p") -> bytes:
    pairs = (("id", f"{number}"), ("time", "2026"))
    return packed_by_paho(
        Message(f"vk/v1/0/lobby/kiosk-{number}/req/check", number, pairs, payload, (), retained=number % 2 == 1)
    )


def not_plain(number: int) -> bytes:
    return packed_by_paho(Message("t", number, (("name", "茶"),), b"p", ()))


@dataclass
class Heard:
    """What came out of a client, in order."""

    events: list[tuple[Any, ...]] = field(default_factory=list)
    acknowledged_ids: list[int] = field(default_factory=list)
    room: bool = True
    is_left: bool = True

    def received(self, publishes: Sequence[tuple[Publish, bool]]) -> None:
        self.events += [("message", 1, *publish, retained) for publish, retained in publishes]

    def acknowledged(self, acknowledgements: Sequence[tuple[int, int]]) -> None:
        self.acknowledged_ids += [packet_id for packet_id, _ in acknowledgements]

    def has_room(self) -> bool:
        return self.room

    def is_left_to_read(self, wait_s: float) -> bool:  # noqa: ARG002 - never waits
        return self.is_left and self.room

    def may_connect(self) -> bool:
        return True

    def holds(self, packet_id: int) -> bool:  # noqa: ARG002 - nothing is held
        return False

    def attach(self, client: Client) -> None:
        client.on_message = lambda _c, _u, m: self.events.append(
            ("message", m.qos, m.topic, m.mid, tuple(getattr(m.properties, "UserProperty", ())), bytes(m.payload), m.retain)
        )
        client.on_connect = lambda *_: self.events.append(("connected",))
        client.on_subscribe = lambda *_: self.events.append(("subscribed",))
        client.on_unsubscribe = lambda *_: self.events.append(("unsubscribed",))
        client.on_disconnect = lambda *_: self.events.append(("disconnected",))


@contextmanager
def connected(client: Client) -> Iterator[socket.socket]:
    """Put a real socket under the client; the other end is the broker's."""
    ours, broker = socket.socketpair()
    ours.setblocking(False)
    client._sock = ours
    try:
        yield broker
    finally:
        client._sock = None
        ours.close()
        broker.close()


def block_client(heard: Heard) -> BlockClient:
    client = BlockClient(heard, client_id="w", packet_bytes_max=PACKET_BYTES_MAX)
    heard.attach(client)
    return client


def heard_by_us(chunks: Iterable[bytes]) -> Heard:
    heard = Heard()
    client = block_client(heard)
    with connected(client) as broker:
        for chunk in chunks:
            if client._sock is None:
                break
            broker.sendall(chunk)
            client.loop_read()
    return heard


def heard_by_stock(stream: bytes) -> Heard:
    heard = Heard()
    client = Client(CallbackAPIVersion.VERSION2, "w", protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
    heard.attach(client)
    with connected(client) as broker:
        broker.sendall(stream)
        broker.shutdown(socket.SHUT_WR)
        while client._sock is not None and ("disconnected",) not in heard.events:
            client.loop_read()
    if heard.events[-1:] == [("disconnected",)]:
        heard.events.pop()  # the end of the stream, which only this one was shown
    return heard


EVERYTHING = [CONNACK, plain(1), SUBACK, not_plain(2), plain(3, b"x" * 300), QOS_0, PINGRESP, QOS_2, PUBREL, plain(4), UNSUBACK]


def test_a_block_cut_at_every_place_is_read_as_the_stock_client_reads_it() -> None:
    stream = b"".join(EVERYTHING)
    expected = heard_by_stock(stream).events
    assert [event[0] for event in expected].count("message") == 6
    for cut in range(len(stream) + 1):
        assert heard_by_us([stream[:cut], stream[cut:]]).events == expected, cut
    assert heard_by_us(bytes([byte]) for byte in stream).events == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(messages().map(packed_by_paho), st.sampled_from(EVERYTHING)), max_size=8), st.data())
def test_any_packets_in_any_pieces_are_read_as_the_stock_client_reads_them(packets: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert heard_by_us(piece for piece in pieces if piece).events == heard_by_stock(stream).events


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.binary(min_size=1, max_size=60), st.just(plain(1)), st.sampled_from(EVERYTHING)), max_size=6))
def test_hostile_bytes_never_leave_as_an_exception_and_end_the_connection_at_most_once(chunks: list[bytes]) -> None:
    heard = heard_by_us(chunks)
    assert heard.events.count(("disconnected",)) <= 1


@pytest.mark.parametrize("broken", [BROKEN, b"\x00\x00", b"\x32\xff\xff\xff\xff\x01", b"\x32\x81\x80\x01", DISCONNECT])
def test_what_stood_before_a_broken_packet_counts_and_what_follows_does_not(broken: bytes) -> None:
    heard = heard_by_us([plain(1) + broken + plain(2)])
    assert [event[0] for event in heard.events] == ["message", "disconnected"]
    assert heard.events[0][3] == 1


def test_a_packet_larger_than_allowed_is_refused_before_it_has_arrived() -> None:
    heard = heard_by_us([b"\x32" + b"\xff\xff\xff\x7f"])
    assert heard.events == [("disconnected",)]


def test_a_connection_that_ends_is_noticed() -> None:
    heard = Heard()
    client = block_client(heard)
    with connected(client) as broker:
        broker.sendall(plain(1))
        client.loop_read()
        broker.close()
        client.loop_read()
    assert [event[0] for event in heard.events] == ["message", "disconnected"]


def test_nothing_is_read_while_there_is_no_room_and_nothing_is_lost() -> None:
    heard = Heard(room=False)
    client = block_client(heard)
    with connected(client) as broker:
        broker.sendall(plain(1) + plain(2))
        client._ping_t = 1.0
        assert client.loop_read() == 0
        assert heard.events == []
        assert client._ping_t == 0.0, "the answer to the ping lies unread"
        heard.room = True
        client.loop_read()
    assert len(heard.events) == 2


def test_the_network_thread_leaves_to_others_what_they_read_themselves() -> None:
    heard = Heard(is_left=False)
    client = block_client(heard)
    with connected(client) as broker:
        broker.sendall(plain(1))
        assert client.loop_read() == 0
        assert heard.events == []
        assert client.read_arrived()
        assert len(heard.events) == 1
        assert not client.read_arrived(), "there is no more"
        heard.is_left = True
        broker.sendall(plain(2))
        assert client.loop_read() == 0
        assert len(heard.events) == 2


def test_whoever_reads_notices_that_the_connection_has_ended_once() -> None:
    heard = Heard()
    client = block_client(heard)
    with connected(client) as broker:
        broker.sendall(plain(1))
        broker.close()
        client.read_arrived()
        client.read_arrived()
        assert client.fileno == -1
    assert not client.read_arrived()
    assert [event[0] for event in heard.events] == ["message", "disconnected"]


def test_half_a_packet_of_an_earlier_connection_is_forgotten() -> None:
    heard = Heard()
    client = block_client(heard)
    with connected(client) as broker:
        broker.sendall(plain(1)[:10])
        client.loop_read()
    with socket.create_server(("127.0.0.1", 0)) as server:
        client.connect("127.0.0.1", server.getsockname()[1])
        broker, _ = server.accept()
        with broker:
            broker.sendall(CONNACK + plain(2))
            while len(heard.events) < 2:
                client.loop_read()
        client._sock_close()
    assert [event[0] for event in heard.events] == ["connected", "message"]


def test_acknowledgements_arrive_together_and_in_order() -> None:
    heard = heard_by_us([b"".join(b"\x40\x02" + number.to_bytes(2, "big") for number in range(1, 300))])
    assert heard.acknowledged_ids == list(range(1, 300))
    assert heard.events == []


def test_many_packets_leave_in_their_order_whatever_the_socket_takes_at_once() -> None:
    client = block_client(Heard())
    client._on_socket_register_write = lambda *_: None  # paho must not send while it is called from here
    packets = [bytes([number % 251]) * 700 for number in range(600)]
    with connected(client) as broker:
        broker.setblocking(False)
        client.queue_joined(packets)
        assert len(client._out_packet) < 10
        arrived = bytearray()
        while len(arrived) < 600 * 700:
            client.loop_write()
            try:
                arrived += broker.recv(BLOCK_BYTES)
            except BlockingIOError:
                continue
    assert bytes(arrived) == b"".join(packets)


def test_packet_ids_in_use_are_passed_over() -> None:
    class Holding(Heard):
        def holds(self, packet_id: int) -> bool:
            return packet_id in (1, 2, 4)

    client = block_client(Holding())
    assert [client.next_packet_id() for _ in range(3)] == [3, 5, 6]
