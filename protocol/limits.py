"""Numbers that kiosk and cloud must agree on. Units are last in the name; a limit ends in ``_max``."""

from typing import Final

VOUCHER_NO_LENGTH: Final = 12
"""A voucher number is twelve digits, kept as text: leading zeros are possible (DOMAIN V-R1)."""

ID_DIGITS_LENGTH: Final = 4
"""The last four characters of the holder's ID (V-R3)."""

VOUCHERS_PER_ORDER_MAX: Final = 20
"""One order may hold several vouchers (V-R4). Twenty keep a redeem request below :data:`BODY_BYTES_MAX` with room to spare."""

ORDER_TOTAL_MAX_TWD: Final = 9_999_999
"""Seven digits: what fits the screen and the keypad, and far above any counter sale."""

ITEM_CATEGORY_LENGTH_MAX: Final = 32

SITE_NAME_BYTES_MAX: Final = 80
"""Longest site name in an answer, in bytes of JSON: twenty refusals that name a site stay below :data:`BODY_BYTES_MAX`."""

BODY_BYTES_MAX: Final = 4_096
"""Largest message body. Checked *before* publishing: an oversize message is refused, and resent by the client for ever."""

PACKET_BYTES_MAX: Final = 8_192
"""Largest MQTT packet the broker takes: body, topic and properties."""

SCANNED_BYTES_MAX: Final = 512
"""Longest code content that is looked at. Ours are below 140 bytes; more is not a voucher."""

DIGIT_TRIES_MAX: Final = 5
"""Wrong digits per voucher, for its whole life, over all kiosks and phones (ADR 0006)."""

HOLD_S: Final = 300
"""How long a check holds a voucher for the visit that asked."""

ANSWER_WAIT_S: Final = 8
"""How long a customer waits before the screen says "not confirmed yet"."""

STILL_CHECKING_S: Final = 3
"""After this the screen says that it is still checking."""

SEQUENCE_MAX: Final = 2**53 - 1
"""Largest sequence number: exact in every JSON reader."""
