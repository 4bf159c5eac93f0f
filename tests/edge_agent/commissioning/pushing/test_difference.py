"""A difference is shown by tag and column, and nothing in it steers the terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.commissioning.pushing.difference import LINES_MAX, differences

HEADER = "tag,source,device,register,address,type,unit,h\n"


def points(*rows: str, header: str = HEADER) -> dict[str, bytes]:
    return {"points.csv": (header + "".join(row + "\n" for row in rows)).encode()}


def test_points_are_compared_by_tag_and_column() -> None:
    old = points("A,s,plc,holding,0,uint16,ppm,10", "B,s,plc,holding,1,uint16,ppm,", "C,s,plc,holding,2,uint16,ppm,")
    new = points("C,s,plc,holding,2,uint16,ppm,", "A,s,plc,holding,0,uint16,ppm,12", "D,s,plc,holding,3,uint16,ppm,5")
    lines = differences(old, new)
    assert lines[0] == "points.csv: 1 added, 1 removed, 1 changed"
    assert "~ A: h 10 → 12" in lines
    assert any(line.startswith("- B: ") for line in lines)
    assert any(line.startswith("+ D: ") and "h 5" in line for line in lines)


def test_moved_columns_and_rows_are_no_news() -> None:
    old = points("A,s,plc,holding,0,uint16,ppm,10")
    new = points("10,A,s,plc,holding,0,uint16,ppm", header="h,tag,source,device,register,address,type,unit\n")
    assert differences(old, new) == ["points.csv: the same points; order, comments or layout differ"]


def test_a_list_that_cannot_be_read_is_compared_as_text() -> None:
    lines = differences({"points.csv": b"no list\n"}, points("A,s,plc,holding,0,uint16,ppm,10"))
    assert "-no list" in lines


def test_settings_are_compared_line_by_line() -> None:
    lines = differences(
        {"agent.toml": b"a = 1\nb = 2\n"}, {"agent.toml": b"a = 1\nb = 3\n", "models/x.toml": b"m = 1\n"}
    )
    assert "-b = 2" in lines
    assert "+b = 3" in lines
    assert "+++ models/x.toml (here)" in lines


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(["agent.toml", "points.csv", "models/x.toml"]))
def test_any_two_files_differ_in_words_or_are_the_same_and_none_steers_the_terminal(
    old: bytes, new: bytes, name: str
) -> None:
    lines = differences({name: old}, {name: new})
    assert bool(lines) == (old != new)
    assert all(line.isprintable() for line in lines)


def test_what_nobody_would_read_is_counted() -> None:
    many = b"".join(b"line %d\n" % number for number in range(LINES_MAX + 100))
    lines = differences({"agent.toml": b""}, {"agent.toml": many})
    assert len(lines) == LINES_MAX + 1
    assert lines[-1].startswith("and ")
