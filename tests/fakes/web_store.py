"""An ingest store whose database goes away when it is told to, before or after the commit."""

from contextlib import AbstractContextManager
from typing import Any

from cloud.ports.ingest import IngestStore, IngestTransaction, Meanwhile
from protocol.errors import PortError


class Unreachable:
    """A store that fails for a while, before or after the commit."""

    def __init__(self, store: IngestStore) -> None:
        self.store = store
        self.fails = False
        self.after_commit = False

    def begin(self, meanwhile: Meanwhile | None = None) -> AbstractContextManager[IngestTransaction]:
        if self.fails and not self.after_commit:
            raise PortError("the database failed", retry=True)
        return _Losing(self.store.begin(meanwhile)) if self.fails else self.store.begin(meanwhile)


class _Losing(AbstractContextManager[IngestTransaction]):
    """Commits, and loses the connection before it can say so."""

    def __init__(self, inner: AbstractContextManager[IngestTransaction]) -> None:
        self.inner = inner

    def __enter__(self) -> IngestTransaction:
        return self.inner.__enter__()

    def __exit__(self, *exception: object) -> None:
        self.inner.__exit__(*exception)  # type: ignore[arg-type]
        raise PortError("the connection was lost during the commit", retry=True)


class Away:
    """Any port of the pages, answering until it is told to fail."""

    def __init__(self, port: object) -> None:
        self._port = port
        self.fails = False

    def __getattr__(self, name: str) -> Any:
        if self.fails:
            raise PortError("the database failed", retry=True)
        return getattr(self._port, name)
