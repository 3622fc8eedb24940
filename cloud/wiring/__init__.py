"""The composition root: reads the configuration, opens what a command uses, and puts the parts together.

Nothing else reads configuration or environment, and nothing else knows both a port and its adapter. ``parts`` holds what all
ways in share, ``workers`` the ingest worker and the scheduler, ``web`` the pages.
"""

import sys
from collections.abc import Sequence
from typing import Final

from cloud import cli
from cloud.adapters.log import log_to_stderr
from cloud.config import ConfigError, read_config
from cloud.wiring.parts import Wiring
from protocol.errors import PortError

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    log_to_stderr()
    parsed = cli.make_parser().parse_args(arguments)
    try:
        config = read_config(parsed.config)
        log_to_stderr(config.log.format, requests=config.log.requests)
        cli.run(parsed, _Parts(config))
    except ConfigError as problem:
        return _complain(str(problem), EXIT_USAGE)
    except (cli.CommandError, PortError, ValueError) as problem:
        return _complain(str(problem), EXIT_FAILED)
    return 0


class _Parts(Wiring):
    """The parts of the commands. The long-running ones are imported late: paho and Flask cost half a second each."""

    def run_web(self) -> None:
        from cloud.wiring.web import serve

        serve(self)

    def run_ingest(self) -> None:
        from cloud.wiring.workers import answer_kiosks

        answer_kiosks(self)

    def run_schedule(self) -> None:
        from cloud.wiring.workers import close_weeks

        close_weeks(self)

    def run_webhooks(self) -> None:
        from cloud.wiring.workers import tell_webhooks

        tell_webhooks(self)


def _complain(sentence: str, code: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return code
