"""The sheet of a loop check on paper: one HTML file, to be printed across and signed by hand. Pure.

What it shows are the rows of ``sheet``, those of a point together; every text is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from contract.keys import SecretKeys
from edge_agent.commissioning.loopcheck.sheet import COLUMNS, OPEN, Head, Row, signature_lines

HEADINGS: Final = (
    "Point", "Device", "Range", "Set-points", "Applied", "Seen", "Deviation", "Quality", "Alarm wanted", "Alarm seen",
    "Reference", "Time (UTC)", "Result", "Checked by", "Remarks",
)  # fmt: skip
_LIMITS: Final = ("ll", "l", "h", "hh")
_OF_HEAD: Final = {"made": "Made", "software": "Software", "points": "Points"}
_OF_PROOF: Final = ("config_hash", "rows_sha256", "public_key", "signature")
Cells = Mapping[str, str]


def html_text(head: Head, rows: Sequence[Row], keys: SecretKeys | None) -> str:
    lines = head.lines(rows)
    lines |= signature_lines(lines, keys)
    points = [
        [dict(zip(COLUMNS, row, strict=True)) for row in group] for _, group in groupby(rows, key=lambda row: row[0])
    ]
    return _PAGE.format(
        agent=html.escape(head.agent),
        facts=" &nbsp; ".join(f"{name}: {html.escape(lines[key])}" for key, name in _OF_HEAD.items()),
        heads="".join(f"<th>{each}</th>" for each in HEADINGS),
        body="\n".join(_point(each) for each in points),
        proof="".join(f"<dt>{key}</dt><dd>{html.escape(lines[key])}</dd>" for key in _OF_PROOF if key in lines),
    )


def _point(rows: Sequence[Cells]) -> str:
    """The rows of one point; what they share stands once."""
    first, span = rows[0], len(rows)
    before = [
        f"<b>{html.escape(first['tag'])}</b><br>{html.escape(first['description'])}",
        html.escape(first["device"]),
        html.escape(
            f"{first['range_low']} to {first['range_high']} {first['unit']}" if first["range_low"] else first["unit"]
        ),
        "<br>".join(f"{name.upper()} {html.escape(first[name])}" for name in _LIMITS if first[name]),
    ]
    people = " / ".join(each for each in (first["by"], first["witness"]) if each)
    reason = f"<br>{html.escape(first['reason'])}" if first["reason"] else ""
    after = [f"<b>{html.escape(first['result'])}</b>{reason}", html.escape(people), html.escape(first["remarks"])]
    parts = []
    for number, row in enumerate(rows):
        shared = number == 0
        parts.append(
            f'<tr class="{_class(row)}">'
            + (_cells(before, span) if shared else "")
            + _cells(map(html.escape, _reference(row)))
            + (_cells(after, span) if shared else "")
            + "</tr>"
        )
    return "\n".join(parts)


def _reference(row: Cells) -> list[str]:
    deviation = f"{float(row['deviation_pct']):+.2f} %".replace("-0.00", "+0.00") if row["deviation_pct"] else ""
    tolerance = f" (of {row['tolerance_pct']} %)" if deviation else ""
    return [
        row["expected"], row["seen"], deviation + tolerance, row["quality"], row["alarm_expected"], row["alarm_seen"],
        row["reference"], row["time"].replace("T", " ").removesuffix("Z"),
    ]  # fmt: skip


def _cells(texts: Iterable[str], span: int = 1) -> str:
    rows = f' rowspan="{span}"' if span > 1 else ""
    return "".join(f"<td{rows}>{text}</td>" for text in texts)


def _class(row: Cells) -> str:
    result = row["result"]
    if row["reference"] == "failed":
        return "failed"
    return result if result in {"failed", "skipped", OPEN} and not row["reference"] else ""


_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Loop check of {agent}</title>
<style>
@page {{ size: A4 landscape; margin: 10mm }}
body {{ font: 9pt/1.35 sans-serif; color: #000; background: #fff }}
h1 {{ font-size: 15pt; margin: 0 0 2mm }}
table {{ border-collapse: collapse; width: 100%; margin: 4mm 0 }}
th, td {{ border: 0.2mm solid #888; padding: 0.8mm 1.4mm; text-align: left; vertical-align: top }}
th {{ background: #eee }}
thead {{ display: table-header-group }}
tr {{ break-inside: avoid }}
.failed td, .open td {{ font-weight: bold }}
.sign td {{ height: 14mm; width: 25%; vertical-align: bottom }}
dl {{ font-size: 7pt; margin: 0; display: grid; grid-template-columns: max-content 1fr; column-gap: 3mm }}
dd {{ margin: 0; font-family: monospace; overflow-wrap: anywhere }}
</style></head><body>
<h1>Loop check of {agent}</h1>
<p>{facts}</p>
<table><thead><tr>{heads}</tr></thead><tbody>
{body}
</tbody></table>
<table class="sign"><tr><td>checked by</td><td>witness</td><td>accepted</td><td>date</td></tr></table>
<p>The CSV beside this page has the same rows for a program: edge-agent loopcheck DIR --verify FILE</p>
<dl>{proof}</dl>
</body></html>
"""
