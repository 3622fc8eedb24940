"""Some hundred generated requests; ``make fuzz CASES=20000`` plays many more of the same."""

from sqlalchemy import Engine

from tests.fuzz.run import open_fuzz

pytest_plugins = ("tests.support.databases",)

CASES = 250


def test_generated_requests_break_nothing(engine: Engine) -> None:
    fuzz = open_fuzz(engine, seed_no=1)
    report = fuzz.run(CASES)
    assert not report.failures
    assert report.cases >= CASES
    assert len(report.operations) > 15
    assert {200, 201, 400, 404, 422} <= set(report.statuses)
