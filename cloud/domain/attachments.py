"""Papers that a business sends with its application: which, how many, how large, and what they really are.

What a file is is told by its content. Its name and the type that a browser claims for it say nothing: a page with a script in
it is as easily called ``licence.pdf``.
"""

from typing import Final, Literal

Paper = Literal["registration", "licence", "other"]
PAPERS: Final[tuple[Paper, ...]] = ("registration", "licence", "other")
REQUIRED: Final[tuple[Paper, ...]] = ("registration", "licence")
"""Without these nothing can be reviewed: what the business is registered as, and what allows it to do its trade."""

FileKind = Literal["pdf", "jpg", "png"]

BYTES_MAX: Final = 8 * 1024 * 1024
"""A photograph from a telephone fits."""

FILES_MAX: Final = 10
"""Per application, the removed ones that a reviewer has seen included."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_TAIL: Final = 1024


def file_kind(content: bytes) -> FileKind | None:
    """Tell what a file is; None where it is none of the three, or only the beginning of one."""
    if content.startswith(b"%PDF-") and b"%%EOF" in content[-_TAIL:]:
        return "pdf"
    if content.startswith(b"\xff\xd8\xff") and b"\xff\xd9" in content[-_TAIL:]:
        return "jpg"
    if content.startswith(_PNG) and b"IEND" in content[-_TAIL:]:
        return "png"
    return None


def missing_papers(sent: set[Paper]) -> list[Paper]:
    """Which papers must still come."""
    return [paper for paper in REQUIRED if paper not in sent]
