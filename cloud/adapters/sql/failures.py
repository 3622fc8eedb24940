"""What a failed statement means: somebody else came first, the world broke and may heal, or the fault is ours.

The first is :class:`ConflictError`; the others are :class:`PortError`, with ``retry`` true where waiting can help. Faults that
the driver itself calls programming errors or wrong values pass through and end the program. What each error means is said in
:mod:`cloud.adapters.driver_failures`; this module takes off what SQLAlchemy wraps around it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from cloud.adapters import driver_failures
from protocol.errors import PortError


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into the ports'.

    Raises:
        ConflictError: a constraint, a deadlock or a serialization failure refused the transaction.
        PortError: the database cannot be reached or cannot go on.
    """
    try:
        yield
    except DBAPIError as problem:
        meaning = None if problem.orig is None else driver_failures.meaning_of(problem.orig)
        if meaning is None:
            raise
        if isinstance(meaning, PortError):
            meaning = PortError(str(meaning), retry=may_heal(problem))
        raise meaning from problem
    except PoolTimeoutError as problem:
        raise PortError("no database connection became free in time", retry=True) from problem


def may_heal(problem: DBAPIError) -> bool:
    """Tell whether the same transaction may succeed later without anybody changing the program."""
    return problem.connection_invalidated or problem.orig is None or driver_failures.may_heal(problem.orig)
