"""The list of banks beside this module, and the published list of branches where somebody has put it.

The list of branches is read as the Financial Supervisory Commission publishes it (open data 6041): a table in UTF-16 or UTF-8
with tabs or commas, each value perhaps wrapped as ``="004"`` so that Excel keeps the zeros; of its columns 總機構代號,
分支機構代號 and 機構名稱 are read. Institutions that only that list knows (farmers' associations, for example) are taken over.
"""

import csv
import io
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from cloud.domain.banks import BankList
from cloud.domain.identity import is_bank_code

_BANK, _BRANCH, _NAME = "總機構代號", "分支機構代號", "機構名稱"
_BANK_CODE = re.compile(r"[0-9]{3}")


class BranchesFileError(ValueError):
    """The list of branches cannot be used; the message is one sentence."""


def read_banks(branches: Path | None = None) -> BankList:
    """Read the banks and, where there is a list of them, the branches.

    Raises:
        BranchesFileError: the list of branches is missing or is not that table.
    """
    text = (resources.files("cloud.adapters") / "taiwan_banks.toml").read_text("utf-8")
    banks: dict[str, str] = tomllib.loads(text)["banks"]
    rows = [] if branches is None else list(_read_rows(branches))
    listed = {code: name for code, branch, name in rows if not branch and _BANK_CODE.fullmatch(code)}
    return BankList(listed | banks, {branch: name for _, branch, name in rows if is_bank_code(branch)})


def _read_rows(path: Path) -> Iterator[tuple[str, str, str]]:
    """Bank, branch and name of every row; rows that head a group of banks are too short to be one."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise BranchesFileError(f"The list of branches {path} cannot be read: {problem}.") from problem
    first, _, _ = text.partition("\n")
    rows = csv.reader(io.StringIO(text), delimiter="\t" if "\t" in first else ",")
    heads = [_plain(head) for head in next(rows, [])]
    if not {_BANK, _BRANCH, _NAME} <= set(heads):
        raise BranchesFileError(f"The list of branches {path} has no columns {_BANK}, {_BRANCH} and {_NAME}.")
    wanted = [heads.index(name) for name in (_BANK, _BRANCH, _NAME)]
    for row in rows:
        if len(row) > max(wanted):
            bank, branch, name = (_plain(row[column]) for column in wanted)
            yield bank, branch, name


def _plain(value: str) -> str:
    return value.strip().removeprefix("=").strip().strip('"')
