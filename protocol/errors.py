"""The two families of errors that cross a boundary.

A *refusal* is no error: it is a value with a :class:`protocol.reasons.Reason`.
"""


class ProtocolError(ValueError):
    """The peer broke the rules: what it sent is not a message of this protocol.

    Caught once, at the edge, and parked; never shown to a customer.
    """


class PortError(OSError):
    """The world broke: a device, disk, network or database. ``retry`` says whether trying again can help."""

    def __init__(self, message: str, *, retry: bool) -> None:
        super().__init__(message)
        self.retry = retry
