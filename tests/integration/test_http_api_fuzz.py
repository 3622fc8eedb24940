"""Some hundred generated requests; ``make fuzz CASES=20000`` plays many more of the same."""

from cloud.adapters.sql.engine import make_engine
from tests.fuzz.run import open_fuzz

pytest_plugins = ("tests.support.databases",)

CASES = 200


def test_generated_requests_break_nothing(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    fuzz = open_fuzz(engine, seed_no=1)
    report = fuzz.run(CASES)
    engine.dispose()
    assert not report.failures
    assert report.cases >= CASES
    assert len(report.operations) > 15
    assert {200, 201, 400, 404, 422} <= set(report.statuses)
