"""The control room's pages in a real browser: how long until a person sees, and until the other one sees what he did.

The whole system runs as in service: devices in processes of their own, an agent, ingest and web, two chromium with a
session each. The aggregator's ledger knows when an event was committed; in the browsers an observer notes when the row
stood on the screen (the frame after the change), and when a button was pressed. All clocks are this machine's. The same
pages while nothing happens give the reference.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from hil_tests.latency import percentile
from hil_tests.rig.site import Site
from hil_tests.testbed import Account, Testbed

ALARMS: Final = 40
EVERY_S: Final = 1.5
START_S: Final = 45.0
"""After the device's start: until both browsers look. What comes before is not counted."""
POINTS: Final = 2016
FLOOD: Final = 5000
FLOOD_AT_S: Final = 30.0
"""After the device's start: until the person is signed in."""
LOADS: Final = 5
ROUND_TRIPS: Final = 30
SCROLL_FRAMES: Final = 180
SCROLL_PX: Final = 400
TO_SCREEN_GOAL_MS: Final = 1000.0
POINTS_GOAL_MS: Final = 2000.0
SLOW_FRAME_MS: Final = 50.0
"""Longer than three frames at 60 Hz: seen as a stop."""
WAIT_MS: Final = 90_000
PEOPLE: Final = (Account("first", "operator", "first in the room"), Account("second", "operator", "second in the room"))
RAISED: Final = "A-[0-9]{4}"
ACKNOWLEDGED: Final = f"{RAISED}(?!.*unacknowledged)(?=.*acknowledged)"
"""In the text of a row, whose cells follow each other without a space."""
LOOK_EVERY_S: Final = 2.0
"""Rarely: to ask a browser costs it time."""
STANDS: Final = "document.getElementById('cr-time')?.textContent && document.querySelector('h1')"
"""The page is drawn, and its script runs."""

OBSERVER: Final = """
window.seen = {}; window.pressed = [];
addEventListener("click", () => window.pressed.push(Date.now()), true);
window.watch = (pattern) => {
  let watching = false;
  const look = () => {
    const found = [];
    for (const row of document.querySelectorAll(".ag-center-cols-container .ag-row, .cr-overview tr")) {
      const match = row.textContent.match(pattern);
      if (match && !(match[0] in window.seen)) { window.seen[match[0]] = null; found.push(match[0]); }
    }
    // Drawn with the next frame; the one after it begins when that is on the screen.
    if (found.length && watching) requestAnimationFrame(() => requestAnimationFrame(
      () => found.forEach((what) => { window.seen[what] = Date.now(); })));
  };
  look();
  watching = true;
  for (const what in window.seen) window.seen[what] = 0;  // stood there before
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
};
"""
SCROLL: Final = """async ([frames, step]) => {
  const list = document.querySelector(".ag-body-viewport"), times = [];
  let last = await new Promise(requestAnimationFrame);
  for (let i = 0; i < frames; i++) {
    list.scrollTop += step;
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }
  return times;
}"""
TO_END: Final = """async (last) => {
  const list = document.querySelector(".ag-body-viewport"), start = performance.now();
  list.scrollTop = list.scrollHeight;
  while (!document.querySelector(`.ag-row[row-index="${last}"]`) && performance.now() - start < 60000)
    await new Promise(requestAnimationFrame);
  return performance.now() - start;
}"""
ROUND_TRIP: Final = """async (count) => {
  const times = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await (await fetch("/api/v1/session")).text();
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    times.push(performance.now() - start);
  }
  return times;
}"""


def run() -> list[dict[str, Any]]:
    """Takes about five minutes. Raises RuntimeError where there is no chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise RuntimeError("the system command chromium is missing")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="parksentry-pages-") as folder, sync_playwright() as playwright:
        browsers = [playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) for _ in PEOPLE]
        rows += _few(Path(folder) / "few", browsers)
        rows += _flood(Path(folder) / "flood", browsers[0])
        for browser in browsers:
            browser.close()
    return rows


# -- alarms one by one, and the list of points ----------------------------------------------------------------------------


def _few(work: Path, browsers: Sequence[Browser]) -> list[dict[str, Any]]:
    steps = [{"kind": "step", "before": 0, "after": 1, "at_s": START_S + EVERY_S * at} for at in range(ALARMS)]
    rest = [{"kind": "constant", "value": 0}] * (POINTS - ALARMS)
    with _running(work, [*steps, *rest]) as bed:
        first, second = (_signed_in(browser, bed, each) for browser, each in zip(browsers, PEOPLE, strict=True))
        idle_ms: list[float] = first.evaluate(ROUND_TRIP, ROUND_TRIPS)
        plain_ms = [_load(first, bed, "/agents", STANDS) for _ in range(LOADS)]
        points_ms = [_load(first, bed, "/points", _last_row(POINTS)) for _ in range(LOADS)]
        _watch(first, bed, "/alarms", RAISED)
        _watch(second, bed, "/", RAISED)
        _until(bed, lambda: min(len(_seen(first)), len(_seen(second))) >= ALARMS, START_S + EVERY_S * ALARMS)
        committed, on_first, on_second = _commits(bed), _seen(first), _seen(second)
        for page in (first, second):
            page.set_viewport_size({"width": 1920, "height": 2160})  # every row is drawn
        _open(first, bed, "/alarms")
        _watch(second, bed, "/alarms", ACKNOWLEDGED)
        there_ms = [_acknowledge(first, second, _tag(at)) for at in range(ALARMS)]
    idle = median(idle_ms)
    against = f"a request and a frame of a page while nothing happens (p50 {idle:.0f} ms in this run)"
    rows = []
    for name, seen in (("first", on_first), ("second", on_second)):
        taken = [seen_ms - committed[tag] for tag, seen_ms in seen.items() if seen_ms]
        rows += _percentiles(f"pages.commit_to_{name}_screen", taken, TO_SCREEN_GOAL_MS, "alarms, commit to frame")
        rows.append(_row(f"pages.{name}_screen_vs_round_trip", median(taken) / idle, "ratio", against, None))
    rows += _percentiles("pages.press_to_other_screen", there_ms, TO_SCREEN_GOAL_MS, "acknowledged, press to frame")
    plain = f"the page of agents (p50 {median(plain_ms):.0f} ms in this run)"
    slowest = f"{POINTS} points, slowest of {LOADS}, until the last row is on screen"
    rows.append(_row("pages.points_last_row", max(points_ms), "ms", slowest, POINTS_GOAL_MS))
    rows.append(_row("pages.points_vs_plain_page", median(points_ms) / median(plain_ms), "ratio", plain, None))
    return rows


def _acknowledge(first: Page, second: Page, tag: str) -> float:
    """Press the button in one browser; ms until it stands in the other."""
    first.locator(f".ag-center-cols-container .ag-row[row-id='bench/{tag}/high']").click()
    first.locator(".cr-side h2", has_text=tag).wait_for()
    first.locator(".cr-side .cr-button.first").click()
    second.wait_for_function("tag => window.seen[tag]", arg=tag)
    pressed_ms: float = first.evaluate("pressed.at(-1)")
    return _seen(second)[tag] - pressed_ms


# -- a flood -----------------------------------------------------------------------------------------------------------


def _flood(work: Path, browser: Browser) -> list[dict[str, Any]]:
    with _running(work, [{"kind": "step", "before": 0, "after": 1, "at_s": FLOOD_AT_S}] * FLOOD) as bed:
        page = _signed_in(browser, bed, PEOPLE[0])
        _until(bed, lambda: f"{FLOOD}/{FLOOD}" in (page.text_content(".cr-counts") or ""), WAIT_MS / 1000)
        first_ms = [_load(page, bed, "/alarms", "document.querySelector('.ag-row')") for _ in range(LOADS)]
        to_end_ms: float = page.evaluate(TO_END, FLOOD - 1)
        _load(page, bed, "/alarms", "document.querySelector('.ag-row')")
        frames_ms: list[float] = page.evaluate(SCROLL, [SCROLL_FRAMES, SCROLL_PX])
    what = f"{FLOOD} alarms, slowest of {LOADS}"
    scrolled = f"frames of {SCROLL_PX} px in a list of {FLOOD}"
    slow = sum(each > SLOW_FRAME_MS for each in frames_ms) / len(frames_ms)
    return [
        _row("pages.flood_first_row", max(first_ms), "ms", what, None),
        _row("pages.flood_jump_to_end", to_end_ms, "ms", f"from the first row of {FLOOD} to the last", None),
        *_percentiles("pages.flood_scroll_frame", frames_ms, None, scrolled),
        _row("pages.flood_slow_frames", slow, "share", f"{scrolled}; longer than {SLOW_FRAME_MS:.0f} ms", None),
    ]


# -- browsers ----------------------------------------------------------------------------------------------------------


def _signed_in(browser: Browser, bed: Testbed, account: Account) -> Page:
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    context.set_default_timeout(WAIT_MS)
    context.add_init_script(OBSERVER)
    context.add_cookies([{"name": "parksentry_language", "value": "en", "url": bed.web_url}])
    page = context.new_page()
    page.goto(f"{bed.web_url}/login?next=/agents")
    page.fill("input[name=name]", account.name)
    page.fill("input[name=password]", account.password)
    page.keyboard.press("Enter")
    page.locator(".cr-counts").wait_for()
    return page


def _load(page: Page, bed: Testbed, path: str, ready: str) -> float:
    """How long from the start of the navigation until ``ready``, asked in every frame, is true; ms."""
    page.goto(bed.web_url + path, wait_until="commit")
    taken: float = page.wait_for_function(f"() => ({ready}) && performance.now()", polling="raf").json_value()
    return taken


def _last_row(rows: int) -> str:
    """Scrolls to the end, and is true when the last row of so many is drawn there."""
    return (
        "(() => { const list = document.querySelector('.ag-body-viewport'); if (!list) return false;"
        f" list.scrollTop = list.scrollHeight; return document.querySelector('.ag-row[row-index=\"{rows - 1}\"]'); }})()"
    )


def _open(page: Page, bed: Testbed, path: str) -> None:
    _load(page, bed, path, STANDS)


def _watch(page: Page, bed: Testbed, path: str, pattern: str) -> None:
    """Open it, and note from now on when a row first shows the pattern."""
    _open(page, bed, path)
    page.evaluate("pattern => watch(new RegExp(pattern))", pattern)


def _seen(page: Page) -> dict[str, float]:
    """Wall time in ms by tag; 0 for what stood there before."""
    seen: dict[str, float | None] = page.evaluate("window.seen")
    return {tag: at_ms for tag, at_ms in seen.items() if at_ms is not None}


# -- the system --------------------------------------------------------------------------------------------------------


@contextmanager
def _running(work: Path, signals: Sequence[dict[str, Any]]) -> Iterator[Testbed]:
    """A device with a register per signal, and an agent for which 1 is an alarm."""
    work.mkdir()
    registers = [
        {"name": f"R{at}", "table": "holding", "address": at, "type": "uint16", "signal": signal}
        for at, signal in enumerate(signals)
    ]
    site = Site.model_validate({"device": [{"name": "plc", "register": registers}]})
    with Testbed(
        site, [_agent(work / "agent", len(signals))], work / "bed", accounts=PEOPLE, agent_ledgers=False
    ) as bed:
        bed.sign_in(PEOPLE[0].name)
        yield bed


def _agent(folder: Path, points: int) -> Path:
    folder.mkdir()
    lines = ["tag,source,device,register,address,type,unit,h,poll_s"]
    lines += [f"{_tag(at)},bench,plc,holding,{at},uint16,1,0.5,1" for at in range(points)]
    (folder / "points.csv").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "agent.toml").write_text(
        '[agent]\nname = "bench"\norganisation = "bench"\n'
        '[[destination]]\nname = "park"\nendpoints = ["tcp://127.0.0.1:1"]\nserver_key_file = "keys/aggregator.pub"\n'
        '[[device]]\nname = "plc"\ndriver = "modbus_tcp"\nhost = "127.0.0.1"\nport = 1\n',
        "utf-8",
    )
    return folder


def _tag(at: int) -> str:
    return f"A-{at:04}"


def _until(bed: Testbed, reached: Callable[[], bool], timeout_s: float) -> None:
    """Follow the journal meanwhile. Raises RuntimeError."""
    end_s = time.monotonic() + timeout_s
    while not reached():
        if time.monotonic() > end_s:
            raise RuntimeError("the browsers did not show every alarm in time")
        pause_s = time.monotonic() + LOOK_EVERY_S
        while (left_s := pause_s - time.monotonic()) > 0:
            bed.news(left_s)


def _commits(bed: Testbed) -> dict[str, float]:
    """Wall time in ms of the commit that raised each tag's alarm."""
    commits, apart_ns = bed.commits(), time.time_ns() - time.monotonic_ns()
    raised = [each for each in bed.events if each.kind == "high" and each.level]
    return {str(each.tag): (commits[each.number] + apart_ns) / 1e6 for each in raised}


# -- rows --------------------------------------------------------------------------------------------------------------


def _percentiles(name: str, taken_ms: list[float], goal: float | None, what: str) -> list[dict[str, Any]]:
    p50, p99 = percentile(taken_ms, 50), percentile(taken_ms, 99)
    assert p50 is not None
    assert p99 is not None
    reference = f"{len(taken_ms)} {what}"
    return [_row(f"{name}_p50", p50, "ms", reference, goal), _row(f"{name}_p99", p99, "ms", reference, goal)]


def _row(name: str, value: float, unit: str, reference: str, goal: float | None) -> dict[str, Any]:
    met = None if goal is None else value <= goal
    return {"name": name, "value": round(value, 3), "unit": unit, "reference": reference, "goal": goal, "met": met}
