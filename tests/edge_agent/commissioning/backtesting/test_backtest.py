"""The command from folder to file: layout, learning, mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.cli import main


def write(path: Path, scans: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ",".join(f"p{i}" for i in range(scans.shape[1]))
    rows = [f"{60 * i}," + ",".join("" if np.isnan(x) else repr(float(x)) for x in row) for i, row in enumerate(scans)]
    path.write_text("\n".join([f"ts,{names}", *rows]) + "\n", "utf-8")
    return path


def noise(rows: int, points: int = 3, seed: int = 1) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(5.0, 0.1, (rows, points))


def run(folder: Path, *more: str) -> list[list[str]]:
    assert main(["backtest", str(folder / "data"), "--out", str(folder / "out.csv"), *more]) == 0
    return [line.split(",") for line in (folder / "out.csv").read_text("utf-8").splitlines()]


def test_each_row_of_each_file_gets_an_alarm_or_none(tmp_path: Path) -> None:
    scans = noise(700)
    scans[600:650, 1] += 5.0
    write(tmp_path / "data" / "a" / "one.csv", scans)
    write(tmp_path / "data" / "two.csv", noise(50, points=1))
    head, *rows = run(tmp_path)
    assert head == ["file", "ts", "alarm"]
    assert [int(row[1]) // 60 for row in rows if row[2] == "1"][:1] == [600]
    head, *rows = run(tmp_path, "--standing")
    one = [row[2] for row in rows if row[0] == "a/one.csv"]
    assert one[:600] == ["0"] * 600
    assert one[600:650] == ["1"] * 50
    assert [row for row in rows if row[0] == "two.csv"] == [["two.csv", str(60 * i), "0"] for i in range(50)]


def test_what_was_learnt_before_counts_from_the_first_row(tmp_path: Path) -> None:
    scans = noise(100, seed=2)
    scans[50:, 1] += 5.0
    write(tmp_path / "data" / "one.csv", scans)
    normal = write(tmp_path / "data" / "normal.csv", noise(500))
    assert [row[2] for row in run(tmp_path) if row[0] == "one.csv"][50] == "0"
    told = [row[2] for row in run(tmp_path, "--learn", str(normal))[1:]]
    assert len(told) == 100
    assert told.index("1") == 50


def test_rows_that_are_skipped_are_told_as_quiet(tmp_path: Path) -> None:
    scans = noise(700)
    scans[600:650, 1] += 5.0
    write(tmp_path / "data" / "one.csv", scans)
    scores = [float(row[2]) for row in run(tmp_path, "--score", "--skip-rows", "620")[1:]]
    assert max(scores[:620]) == 0.0
    assert scores[630] > 1.0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("ts,a,b\n0,1,x\n", "row 2, b: 'x' is no number"),
        ("ts,a,b\nnoon,1,2\n", "row 2, ts: 'noon' is no time"),
        ("ts,a,b\n0,1\n", "row 2: 2 fields"),
        ("time,a\n", "row 1: not the header"),
        ("ts,a,b\n", "no rows"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(
    text: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text(text, "utf-8")
    assert main(["backtest", str(tmp_path / "bad.csv"), "--out", str(tmp_path / "out.csv")]) == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(tmp_path / "none.csv"), "--out", str(tmp_path / "out.csv")]) == 2
    assert "none.csv cannot be read" in capsys.readouterr().err


def test_a_single_point_is_judged_by_itself_and_what_is_missing_is_told(tmp_path: Path) -> None:
    scans = noise(900, points=1)
    scans[600] = 9.0
    scans[800:830] = np.nan
    write(tmp_path / "data" / "one.csv", scans)
    assert [int(row[1]) // 60 for row in run(tmp_path)[1:] if row[2] == "1"] == [600, 809]


def test_labels_tell_what_each_detector_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scans = noise(700, points=1)
    scans[400], scans[600] = 50.0, 50.0
    write(tmp_path / "data" / "one.csv", scans)
    labels = tmp_path / "labels.csv"
    labels.write_text(f"file,begin,end\none.csv,{598 * 60},{610 * 60}\none.csv,{650 * 60},{660 * 60}\n", "utf-8")
    run(tmp_path, "--labels", str(labels))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1][:7] == ["points", "2", "1", "1", "0.500", "0.500", "0.500"]
    assert lines[1][8] == "120"
    assert lines[2][:4] == ["group", "2", "0", "0"]


def test_an_event_within_rows_that_were_learnt_from_counts_neither_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "data" / "one.csv", noise(700, points=1))
    labels = tmp_path / "labels.csv"
    labels.write_text(f"file,begin,end\none.csv,{100 * 60},{110 * 60}\none.csv,{650 * 60},{660 * 60}\n", "utf-8")
    run(tmp_path, "--labels", str(labels), "--skip-rows", "200")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1][:4] == ["points", "1", "0", "0"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "data" / "one.csv", noise(50))
    assert main(["backtest", str(one), "--out", str(tmp_path / "none" / "out.csv")]) == 2
    assert "out.csv cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["", "file,begin\n", "file,begin,end\none.csv,5,1\n", "file,begin,end\nelse.csv,1,5\n"]
)
def test_labels_with_a_mistake_are_refused(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "data" / "one.csv", noise(50))
    labels = tmp_path / "labels.csv"
    labels.write_text(text, "utf-8")
    out = tmp_path / "out.csv"
    assert main(["backtest", str(tmp_path / "data"), "--out", str(out), "--labels", str(labels)]) == 2
    assert "labels.csv" in capsys.readouterr().err
    assert not out.exists()
