"""Runs the aggregator's ingest so that it dies at its commit: ``python -m tests.scenarios.early_ack MODE AFTER MODULE ...``

Until AFTER events have been committed it is the real thing. Then, in MODE ``early``, it acknowledges what it is about to
commit and is killed before it does: the mistake that the tests of kills must notice. In MODE ``honest`` it is killed at
the same place without a word. The rest of the command line is the MODULE to run and its arguments.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
from typing import Final

from aggregator.ingest.group import Group
from aggregator.ingest.receiver import Receiver

FLUSH_S: Final = 0.3
"""Time for the acknowledgement to leave: ZeroMQ sends in a thread of its own."""


def main() -> None:
    mode, after, module, *arguments = sys.argv[1:]
    assert mode in {"early", "honest"}, mode
    _sabotage(int(after), early=mode == "early")
    # Ingest ends when its standard input does: here nobody holds the other end but itself.
    reading_end, _ = os.pipe()
    os.dup2(reading_end, sys.stdin.fileno())
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _sabotage(after: int, *, early: bool) -> None:
    honest = Receiver.commit_and_acknowledge
    committed = 0

    def commit_or_die(self: Receiver, group: Group) -> None:
        nonlocal committed
        if group.events and committed >= after:
            if early:
                self._acknowledge(group)
                time.sleep(FLUSH_S)
            os.kill(os.getpid(), signal.SIGKILL)
        honest(self, group)
        committed += len(group.events)

    Receiver.commit_and_acknowledge = commit_or_die  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
