"""Plays generated requests against the interface of merchants' programs, in this process, and checks every answer.

Half of the requests fit the document and half do not. So that more is met than refusals, some carry ids and vouchers that
exist. Every answer must be one that the document names, in shape and kind; a request that does not fit must be refused; nothing
may fail with a status of 500 or more; and no answer may hold the digits that were sent.
"""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from unittest import SkipTest as Skipped

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from sqlalchemy import Engine

from cloud.services.enrol import EnrolmentRefusal
from cloud.web.api import make_api
from protocol.limits import ID_DIGITS_LENGTH
from tests.support.money import PLACES
from tests.support.web import NOW, Site, issue, open_site, with_parts
from tests.support.web_api import Program, admit_program

PACE_S: Final = 8.0
"""Between two requests on the site's clock: no throttle stands in the way."""

KNOWN_SHARE: Final = 0.5
FAILURES_KEPT: Final = 10
CHECKED: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)


_REJECTED: Final = [400, 401, 403, 404, 405, 413, 415, 422, 429]
_CONFIG: Final = {
    "generation": {"with-security-parameters": False, "allow-x00": True},
    "checks": {"negative_data_rejection": {"expected-statuses": _REJECTED}},
}
"""Keys are our own business: the ones that do not count have their tests."""


@dataclass
class Report:
    """What came of it."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    failure_count: int = 0
    seconds: float = 0.0

    def line(self) -> str:
        """One JSON object."""
        return json.dumps(
            {
                "ok": not self.failure_count,
                "cases": self.cases,
                "operations": len(self.operations),
                "server_errors": sum(count for status, count in self.statuses.items() if status >= 500),
                "failures": self.failure_count,
                "first_failures": self.failures,
                "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
                "seconds": round(self.seconds, 1),
            },
            ensure_ascii=False,
        )


@dataclass
class Fuzz:
    """One run on one database."""

    site: Site
    program: Program
    random: Random
    ids: Sequence[str]
    digits: dict[str, str]
    report: Report = field(default_factory=Report)

    def run(self, cases: int) -> Report:
        """Play so many cases, shared out evenly over operations and ways to generate."""
        load_all_checks()
        began = time.monotonic()
        schema = schemathesis.openapi.from_wsgi(
            "/api/openapi.json", self.site.app, config=SchemathesisConfig.from_dict(_CONFIG)
        )
        operations = [found.ok() for found in schema.get_all_operations()]
        plays = [(operation, mode) for operation in operations for mode in GenerationMode]
        # Some operations have little to vary, and are through early: the others take over what is left.
        while self.report.cases < cases and plays:
            each = -(-(cases - self.report.cases) // len(plays))
            plays = [(operation, mode) for operation, mode in plays if self._play(operation, mode, each) > each // 2]
        self.report.seconds = time.monotonic() - began
        return self.report

    def _play(self, operation: Any, mode: GenerationMode, cases: int) -> int:
        before = self.report.cases

        @seed(self.random.randrange(2**32))
        @settings(
            max_examples=cases,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def play(case: Any) -> None:
            self._send(case, is_negative=mode is GenerationMode.NEGATIVE)

        with contextlib.suppress(Unsatisfiable, Skipped):
            # Some operations take whatever comes: nothing does not fit them.
            play()
        return self.report.cases - before

    def _send(self, case: Any, *, is_negative: bool) -> None:
        self.site.clock.advance(seconds=PACE_S)
        if not is_negative:
            self._make_known(case)
        response = case.call(headers={"Authorization": f"Bearer {self.program.key}"})
        self.report.cases += 1
        self.report.statuses[response.status_code] += 1
        self.report.operations[case.operation.label] += 1
        checks = CHECKS.get_by_names(list(CHECKED))
        try:
            case.validate_response(response, checks=checks)
            assert self._is_silent(case, response), "the answer holds digits that were sent"
        except (AssertionError, BaseExceptionGroup) as failure:
            self.report.failure_count += 1
            if len(self.report.failures) < FAILURES_KEPT:
                self.report.failures.append(f"{case.operation.label}: {_told(failure)}"[:600])

    def _make_known(self, case: Any) -> None:
        """Put something in that exists."""
        if self.random.random() >= KNOWN_SHARE:
            return
        for name in list(case.path_parameters or {}):
            case.path_parameters[name] = self.random.choice(self.ids)
        body = case.body
        if not isinstance(body, dict):
            return
        number = self.random.choice(list(self.digits))
        proof = {"voucher_no": number, "last_four": self.digits[number]}
        if case.path.endswith("/orders"):
            body |= {"vouchers": [proof], "item_category": "room"}
        elif case.path.endswith("/checks"):
            body |= proof
        elif case.path.endswith("/confirmations") and self.random.random() < KNOWN_SHARE:
            case.body = {"redemption_ids": self.random.sample(self.ids, 2)}

    def _is_silent(self, case: Any, response: Any) -> bool:
        body = case.body
        sent = [body] if isinstance(body, dict) else []
        vouchers = body.get("vouchers") if isinstance(body, dict) else None
        sent += [one for one in vouchers if isinstance(one, dict)] if isinstance(vouchers, list) else []
        said = [one["last_four"] for one in sent if isinstance(one.get("last_four"), str)]
        # Four digits stand in many numbers by chance; as a text of their own they would stand in quotation marks.
        return not any(json.dumps(text) in response.text for text in said if len(text) == ID_DIGITS_LENGTH and text.isdigit())


def _told(failure: BaseException) -> str:
    below = getattr(failure, "exceptions", None)
    return "; ".join(map(_told, below)) if below else f"{type(failure).__name__} {failure}".replace("\n", " ")


def open_fuzz(engine: Engine, *, seed_no: int) -> Fuzz:
    """A site with some life in it, on a migrated, empty database."""
    site = open_site(engine)
    digits = {f"{number:012d}": f"{number:04d}" for number in range(7001, 7401)}
    issue(site, digits)
    ids = [str(site.till.redeem(NOW, vouchers=1 + number % 3)) for number in range(12)]
    ids += [str(site.till.redeem(NOW, place=PLACES[2]))]
    # Nobody has a claim code: what is tried here is the reading of requests.
    site = with_parts(site, api=make_api(lambda _: EnrolmentRefusal.BAD_CODE))
    return Fuzz(site, admit_program(site), Random(seed_no), ids, digits)
