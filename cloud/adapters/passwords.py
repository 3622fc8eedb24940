"""Password hashes: Argon2id with the parameters of RFC 9106's second recommendation (64 MiB, three passes).

Verifying takes tens of milliseconds on purpose. The hash names its own parameters, so old hashes stay good when these grow.
"""

from importlib import resources

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError


class Argon2Passwords:
    """Makes and verifies hashes; safe to share between threads."""

    def __init__(self, *, memory_kib: int = 65_536, passes: int = 3, lanes: int = 4) -> None:
        """Set the cost. The defaults are for people who sign in; tests may take less."""
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes)

    def hash(self, password: str) -> str:
        """Hash a password with a fresh salt; the text holds everything that verifying needs."""
        return self._hasher.hash(password)

    def verify(self, password_hash: str, password: str) -> bool:
        """Tell whether the password is the one that was hashed. A damaged hash fits no password."""
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    def decoy(self) -> str:
        """A hash of the same cost that belongs to nobody, to be verified where there is no account."""
        return self._hasher.hash("a password that no account has")


def common_passwords() -> frozenset[str]:
    """The passwords that everybody tries first, in lower case; the list lies beside this module and is asked nowhere else."""
    lines = (resources.files("cloud.adapters") / "common_passwords.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
