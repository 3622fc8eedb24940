"""A commit that PostgreSQL calls done although no standby has it.

With synchronous replication a COMMIT waits for a standby. If somebody cancels that wait (``pg_cancel_backend``), the server
says COMMIT and adds only a warning: the transaction stands on the primary alone, and a fail-over would forget it. Whoever
commits asks here afterwards, and takes such a commit for a connection that was lost at the commit: not known, to be asked
again.
"""

from typing import Any

import psycopg
from psycopg.errors import Diagnostic

from protocol.errors import PortError

_WAITING = "SyncRepWaitForLSN"
"""Name of the server's function that waits; its texts are translated, this is not."""


class CommitDoubt:
    """Listens to the warnings of one connection."""

    def __init__(self) -> None:
        self._heard = False

    @classmethod
    def of(cls, connection: "psycopg.Connection[Any]") -> "CommitDoubt":
        """Listen to a connection from now on."""
        doubt = cls()
        connection.add_notice_handler(doubt.hear)
        return doubt

    def hear(self, notice: Diagnostic) -> None:
        """Take one of the server's remarks."""
        if notice.source_function == _WAITING:
            self._heard = True

    def check(self) -> None:
        """Call after a commit.

        Raises:
            PortError: no standby is known to have it.
        """
        heard, self._heard = self._heard, False
        if heard:
            raise PortError("somebody cancelled the wait for a standby: the commit may not outlive the primary", retry=True)
