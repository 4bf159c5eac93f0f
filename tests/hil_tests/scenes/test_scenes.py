"""Scenes are of their seed, quiet before anything happens, and become files that say what happened when."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from contract.quality import SEVERITY_BAD, SEVERITY_MASK
from hil_tests.cli import main
from hil_tests.scenes import SCENES, make
from hil_tests.scenes.instrument import LEL, first_order, show, slow

SHORT = [name for name in SCENES if name != "quiet_week"]


@pytest.mark.parametrize("name", SHORT)
def test_a_scene_follows_from_its_seed_and_is_quiet_at_first(name: str) -> None:
    one, again, other = (make(name, seed) for seed in (3, 3, 4))
    for a, b in zip(one.traces, again.traces, strict=True):
        assert a.value.tobytes() == b.value.tobytes()
    assert one.traces[0].value.tobytes() != other.traces[0].value.tobytes()
    for window in one.windows:
        assert one.quiet <= window.first <= window.last < len(one)
        assert set(window.tags) <= {trace.tag for trace in one.traces}
    for trace in one.traces:
        assert not (trace.quality[: one.quiet] & SEVERITY_MASK >= SEVERITY_BAD).any()
        assert np.isfinite(trace.value[: one.quiet]).all()


def test_a_scene_may_last() -> None:
    assert len(make("quiet_week", 1, days=0.5)) == 43_200


def test_a_lag_reaches_nine_tenths_after_its_t90_whatever_the_block() -> None:
    truth = np.r_[0.0, np.ones(100_000)]
    shown = first_order(truth, 10.0 / np.log(10.0), 1.0)
    assert shown[10] == pytest.approx(0.9, abs=1e-9)
    assert shown[-1] == pytest.approx(1.0, abs=1e-9)
    naive = [0.0]
    for each in truth[1:200]:
        naive.append(naive[-1] + (each - naive[-1]) * (1 - 10.0 ** (-1 / 10.0)))
    assert shown[:200] == pytest.approx(naive, abs=1e-9)


def test_an_instrument_is_as_noisy_as_its_sheet_says() -> None:
    rng = np.random.default_rng(5)
    shown = show(LEL, np.zeros(50_000), 1.0, rng)
    assert np.diff(shown).std() / np.sqrt(2) == pytest.approx(np.hypot(0.3, 0.5 / np.sqrt(12)), rel=0.03)
    assert np.unique(np.round(shown / 0.5, 9) % 1).tolist() == [0.0]
    assert slow(400_000, 0.12, 1.0, rng).std() == pytest.approx(0.12, rel=0.15)


def test_a_broken_wire_is_bad_by_its_current_and_a_silent_device_has_no_value() -> None:
    scene = make("open_circuit", 2)
    for window in scene.windows:
        trace = scene.trace(window.tags[0])
        assert (trace.quality[window.first : window.last + 1] & SEVERITY_MASK >= SEVERITY_BAD).all()
        assert not trace.quality[window.last + 1] & SEVERITY_MASK
    silent = make("dropout", 2)
    for window in silent.windows:
        assert np.isnan(silent.trace("AT-1301").value[window.first : window.last + 1]).all()


def test_recordings_are_written_with_their_labels(tmp_path: Path) -> None:
    out = ["scenario-data", str(tmp_path), "--seeds", "4-5", "--only", "dropout", "--only", "bump_test"]
    assert main(out) == 0
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert [each["file"] for each in json.loads((tmp_path / "manifest.json").read_text())["files"]] == list(labels)
    assert len(labels) == 4
    bump, dropout = labels["park/bump_test_4.csv"], labels["park/dropout_4.csv"]
    assert (bump["windows"], len(bump["ignore"])) == ([], 3)
    lines = (tmp_path / "park/dropout_4.csv").read_text().splitlines()
    assert (lines[0], len(lines)) == ("ts,PT-1301_MPa,AT-1301_LEL", 5401)
    first_s, last_s, first, last = dropout["windows"][0]
    assert (first, last) == (first_s, last_s)
    assert lines[1 + first] == f"{first_s},,"
    assert not lines[first].endswith(",,")
    assert main(["scenario-data", str(tmp_path), "--only", "nothing"]) == 2
