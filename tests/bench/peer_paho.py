"""Two workers on stock paho: one that only acknowledges, and one that does it all the way everybody does it first.

``python -m tests.bench.peer_paho CONFIG acknowledge``: receives and acknowledges, in the callback, one message at a time; the
log says how many. ``… redeem``: in the callback an ORM transaction, a publish with QoS 1, an acknowledgement.
"""

import logging
import sys
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud.adapters.mqtt import worker_tls
from cloud.config import read_config
from cloud.wiring.parts import Wiring
from protocol.topics import decode_request_topic, requests_filter
from tests.bench.peer_orm import OrmShop
from tests.bench.stage import LISTENING

RECEIVE_MAX: Final = 1_000
COUNT_EVERY: Final = 100
_log = logging.getLogger("peer")


class PahoWorker:
    """Stock paho, driven by its own loop."""

    def __init__(self, config: Path, *, redeems: bool) -> None:
        self._parts = Wiring(read_config(config))
        self._count = 0
        authority = self._parts.authority
        client = Client(CallbackAPIVersion.VERSION2, client_id="peer", protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        client.tls_set_context(worker_tls(authority.certificate_pem, authority.worker_certificate()))
        client.on_connect = lambda *_: client.subscribe(requests_filter(), qos=1)
        client.on_subscribe = lambda *_: _log.info(LISTENING)
        client.on_message = self._redeem if redeems else self._acknowledge
        self._client = client
        self._shop = OrmShop(self._parts.engine) if redeems else None

    def run(self) -> None:
        """Until killed."""
        properties = Properties(PacketTypes.CONNECT)
        properties.ReceiveMaximum = RECEIVE_MAX
        broker = self._parts.config.broker
        self._client.connect(broker.host, broker.port, 60, clean_start=True, properties=properties)
        self._client.loop_forever()

    def _acknowledge(self, client: Client, _userdata: Any, message: MQTTMessage) -> None:
        client.ack(message.mid, message.qos)
        self._count += 1
        if self._count % COUNT_EVERY == 0:
            _log.info("received %d", self._count)

    def _redeem(self, client: Client, _userdata: Any, message: MQTTMessage) -> None:
        assert self._shop is not None
        address, kind = decode_request_topic(message.topic)
        request_id = UUID(dict(message.properties.UserProperty)["id"])
        answer = self._shop.redeem(address.device_id, request_id, message.payload)
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = request_id.bytes
        client.publish(address.answer(kind), answer, 1, properties=properties)
        client.ack(message.mid, message.qos)


def main() -> None:
    """Be one of the two."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    PahoWorker(Path(sys.argv[1]), redeems=sys.argv[2] == "redeem").run()


if __name__ == "__main__":
    main()
