"""The load generator's own MQTT 5 packing, against paho's."""

from uuid import UUID

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from protocol.envelope import CONTENT_TYPE, Event, device_source, encode_properties, make_event, request_type
from protocol.topics import RequestKind
from tests.bench.deck import Deck
from tests.bench.fleet import address_of, make_fleet
from tests.bench.wire import PUBACK, PUBLISH, pack_request, packets_of, read_publish

REQUEST_ID = UUID(int=7)


@pytest.fixture
def event() -> Event:
    return make_event(
        b"k" * 32,
        id=REQUEST_ID,
        source=device_source("kiosk-1"),
        type=request_type(RequestKind.REDEEM),
        time="2026-11-20T04:00:00.000Z",
        body=b"{}" * 300,
    )


@pytest.mark.parametrize("expiry_s", [None, 60])
def test_request_is_packed_as_paho_packs_it(event: Event, expiry_s: int | None) -> None:
    address = address_of(1)
    head, tail = pack_request(address.request(RequestKind.REDEEM), event, response_topic="a/b", expiry_s=expiry_s)
    properties = Properties(PacketTypes.PUBLISH)
    properties.PayloadFormatIndicator = 1
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    properties.ContentType = CONTENT_TYPE
    properties.ResponseTopic = "a/b"
    properties.CorrelationData = event.id.bytes
    properties.UserProperty = encode_properties(event)
    assert tail == properties.pack() + event.body
    ((kind, start, end),) = packets_of(head + b"\x01\x02" + tail)
    assert (kind, end) == (PUBLISH, len(head) + 2 + len(tail))
    assert (head + b"\x01\x02" + tail)[start:].startswith(b"\x00")


def test_what_is_packed_is_read_back(event: Event) -> None:
    head, tail = pack_request("a/topic", event, response_topic="a/b", expiry_s=60)
    packet = head + b"\x01\x02" + tail
    block = b"\x40\x02\x00\x09" + packet + packet[:-1]
    found = list(packets_of(block))
    assert [kind for kind, _, _ in found] == [PUBACK, PUBLISH]
    _, start, end = found[1]
    published = read_publish(block[start:end])
    assert (published.topic, published.packet_id, published.payload) == ("a/topic", 0x0102, event.body)
    assert (published.correlation, list(published.pairs)) == (REQUEST_ID.bytes, encode_properties(event))


def test_deck_repeats_and_spends_again_and_every_connection_has_its_share() -> None:
    fleet = make_fleet(12, bytes(range(32)))
    deck = Deck(fleet, 4, 100_000_000_000)
    deck.deal("redeem", 4_000)
    assert min(map(len, deck.hands)) >= 1_000
    sent = [card for hand in deck.hands for _, card in hand]
    repeated, doubled = len(sent) - len(set(sent)), [card for card in deck.cards if card.twin is not None]
    assert 10 <= repeated <= 100
    assert 10 <= len(doubled) <= 100
    assert max(map(sent.count, set(sent))) == 2
    for card in doubled:
        assert card.twin is not None
        twin = deck.cards[card.twin]
        assert twin.voucher_nos == card.voucher_nos
        assert twin.kiosk != card.kiosk
    assert not any(card.kiosk == len(fleet) - 1 for card in deck.cards)


def test_deck_of_visits_ends_with_whole_visits() -> None:
    deck = Deck(make_fleet(4, bytes(range(32))), 2, 100_000_000_000)
    deck.deal("visit", 20)
    kinds = [card.kind for card in deck.cards]
    assert kinds[-1] is RequestKind.REDEEM
    checked = [card.voucher_nos[0] for card in deck.cards if card.kind is RequestKind.CHECK]
    assert checked == [number for card in deck.cards if card.kind is RequestKind.REDEEM for number in card.voucher_nos]
