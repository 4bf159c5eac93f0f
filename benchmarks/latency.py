"""From a device's reply to the aggregator's commit, against what the disk alone would take.

The whole system runs as in service: a device in a process of its own, an agent, an aggregator, a real link under CURVE,
both stores synchronous. A register of the device toggles; the rig's ledger knows when a reply first carried the new
value, the aggregator's ledger when its event was committed. Two durable commits lie between; before and after the run
the same is done with nothing but SQLite: one row, WAL, synchronous=FULL, at the same cadence on the same disk.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

from hil_tests.agent_folder import markers
from hil_tests.latency import changes, percentile
from hil_tests.rig.site import Site
from hil_tests.testbed import Testbed

CADENCE_S: Final = 0.2
RUN_S: Final = 60.0
IDLE_COMMITS: Final = 100
POINTS: Final = 100
ROW_BYTES: Final = 900
"""About an event with its digests."""
REPORTED_SHARE_MIN: Final = 0.95
"""A change can fall between two polls where the machine stalls for longer than the cadence; most must not."""
GOAL_P50: Final = 1.6
GOAL_P99: Final = 4.0


def run() -> list[dict[str, Any]]:
    """Takes about two minutes."""
    with tempfile.TemporaryDirectory(prefix="parksentry-latency-") as folder:
        work = Path(folder)
        idle_ms = _idle_commits(work / "before.db")
        software_ms, whole_ms = _measure(work)
        idle_ms += _idle_commits(work / "after.db")
    two_commits_ms = 2 * median(idle_ms)
    p50, p99 = percentile(software_ms, 50), percentile(software_ms, 99)
    assert p50 is not None
    assert p99 is not None
    reference = f"two idle SQLite FULL commits every {CADENCE_S} s in this run (p50 {two_commits_ms:.2f} ms together)"
    return [
        _row("latency.reply_to_commit_p50", p50, "ms", f"{len(software_ms)} changes of a marker, poll 0.1 s", None),
        _row("latency.reply_to_commit_p99", p99, "ms", "the same", None),
        _row("latency.p50_vs_two_commits", p50 / two_commits_ms, "ratio", reference, GOAL_P50),
        _row("latency.p99_vs_two_commits", p99 / two_commits_ms, "ratio", reference, GOAL_P99),
        _row(
            "latency.change_to_commit_p50", percentile(whole_ms, 50) or 0.0, "ms", "waiting for the poll included", None
        ),
    ]


def _row(name: str, value: float, unit: str, reference: str, goal: float | None) -> dict[str, Any]:
    met = None if goal is None else value <= goal
    return {"name": name, "value": round(value, 3), "unit": unit, "reference": reference, "goal": goal, "met": met}


def _idle_commits(path: Path) -> list[float]:
    """Milliseconds of single-row commits on an otherwise idle database, one per cadence."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE rows (seq INTEGER PRIMARY KEY, body BLOB)")
    taken_ms = []
    for _ in range(IDLE_COMMITS):
        time.sleep(CADENCE_S)
        start_ns = time.perf_counter_ns()
        database.execute("INSERT INTO rows (body) VALUES (?)", (bytes(ROW_BYTES),))
        taken_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
    database.close()
    return taken_ms


def _measure(work: Path) -> tuple[list[float], list[float]]:
    """(reply to commit, change to commit) of every change, ms."""
    site, folder = _site(), _agent(work / "agent")
    with Testbed(site, [folder], work / "bed", agent_ledgers=False) as bed:
        end = time.monotonic() + RUN_S
        while time.monotonic() < end:
            bed.news(0.5)
        bed.finish()
        (marker,) = markers(folder, site)
        found = changes(marker, bed.rig.ledger(marker.device), bed.events, bed.commits())
    reported = [each for each in found if each.committed_ns is not None]
    if len(reported) < REPORTED_SHARE_MIN * len(found) or len(reported) < IDLE_COMMITS:
        raise RuntimeError(f"only {len(reported)} of {len(found)} changes were reported")
    software = [each.software_latency_ms for each in reported if each.software_latency_ms is not None]
    return software, [each.latency_ms for each in reported if each.latency_ms is not None]


def _site() -> Site:
    quiet = [
        {"name": f"P{number}", "table": "holding", "address": number, "type": "uint16",
         "signal": {"kind": "constant", "value": 100 + number}}
        for number in range(1, POINTS)
    ]  # fmt: skip
    wave = {"kind": "counter", "period_s": CADENCE_S, "modulo": 2}
    marker = {"name": "MARK", "table": "holding", "address": 0, "type": "uint16", "signal": wave}
    return Site.model_validate({"device": [{"name": "plc", "register": [marker, *quiet]}]})


def _agent(folder: Path) -> Path:
    folder.mkdir()
    rows = ["tag,source,device,register,address,type,unit,h,poll_s"]
    rows += [f"{'MARK' if number == 0 else f'P{number}'},bench,plc,holding,{number},uint16,1,"
             f"{'0.5' if number == 0 else ''},0.1" for number in range(POINTS)]  # fmt: skip
    (folder / "points.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (folder / "agent.toml").write_text(
        '[agent]\nname = "bench"\norganisation = "bench"\n'
        '[[destination]]\nname = "park"\nendpoints = ["tcp://127.0.0.1:1"]\nserver_key_file = "keys/aggregator.pub"\n'
        '[[device]]\nname = "plc"\ndriver = "modbus_tcp"\nhost = "127.0.0.1"\nport = 1\n',
        "utf-8",
    )
    return folder
