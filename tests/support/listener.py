"""Hears everything that goes over a broker: topic, properties and payload of every message, as bytes."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from cloud.adapters.certificates import FleetAuthority
from cloud.adapters.clock import SystemClock
from cloud.adapters.vault import open_vault

LISTENER = "listener"
ACL = f"\nuser {LISTENER}\ntopic read #\n"
"""What the broker's ACL needs more, so that somebody may hear everything."""


@contextmanager
def listening(vault: Path, folder: Path, port: int) -> Iterator[list[bytes]]:
    """Connect with a certificate of the fleet's own CA and collect what is heard; stays connected over broker restarts."""
    tls = _identity(vault, folder)
    heard: list[bytes] = []
    client = Client(CallbackAPIVersion.VERSION2, client_id=LISTENER, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set_context(tls)
    client.reconnect_delay_set(min_delay=1, max_delay=1)
    client.on_connect = lambda *_: client.subscribe("#", qos=0)

    def on_message(_: Client, __: object, message: MQTTMessage) -> None:
        properties: Any = message.properties
        heard.append(b"\n".join((message.topic.encode(), repr(properties.json()).encode(), message.payload)))

    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def _identity(vault: Path, folder: Path) -> ssl.SSLContext:
    opened = open_vault(vault)
    authority = FleetAuthority(opened.ca_key, opened.ca_certificate, clock=SystemClock())
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, SHA256())
    issued = authority.device_certificate(csr.public_bytes(Encoding.PEM).decode(), LISTENER)
    chain, private, ca = folder / "listener.pem", folder / "listener.key", folder / "ca.pem"
    chain.write_text(issued.pem)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    ca.write_text(authority.certificate_pem)
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(chain, private)
    return context
