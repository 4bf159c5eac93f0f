"""What a person sees of one place: the registers as they came, and every decoding with the reasons for and against it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge_agent.commissioning.probing.decodings import Value
from edge_agent.commissioning.probing.place import Place
from edge_agent.commissioning.probing.ranking import Judged, Reason

_LINES_MAX: Final = 16
_WORDS_SHOWN_MAX: Final = 8
_SAME_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class View:
    """One look: ``words`` are the registers, or the one bit, that came; ``judged`` all decodings, best first."""

    device: str
    place: Place
    words: tuple[int, ...]
    judged: tuple[Judged, ...]
    reads: int = 1


def lines(view: View, *, everything: bool) -> list[str]:
    """``everything``: those that are not plausible, too, and each on a line of its own."""
    shown = [*_merged(view.judged)] if not everything else [(each, ()) for each in view.judged]
    picked = [each for each in shown if everything or each[0].plausible]
    if not everything:
        picked = picked[:_LINES_MAX]
    rows = [("", "No.", "decoding", "value", "why")]
    rows += [_row(judged, same) for judged, same in picked]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    out = [f"{view.device}, {view.place} (in a manual: {view.place.printed}), read {view.reads}", *_raw(view), ""]
    for row in rows:
        mark, number, name, value, why = row
        line = f"{mark:{widths[0]}} {number:>{widths[1]}}  {name:{widths[2]}}  {value:>{widths[3]}}  {why}"
        out.append(line.rstrip())
    if not any(each.plausible for each in view.judged):
        out.append(
            "nothing fits: another address, another range, or a scale of its own (--scale)? --all shows every decoding"
        )
    elif not everything and len(picked) < len(shown):
        rest = len(shown) - len(picked)
        out.append(f"and {rest} that fit less; --all shows every decoding, --range and --expect tell them apart")
    return out


def as_json(view: View) -> dict[str, Any]:
    return {
        "device": view.device,
        "place": str(view.place),
        "manual": view.place.printed,
        "words": list(view.words),
        "reads": view.reads,
        "decodings": [
            {
                "number": each.decoding.number,
                "name": each.decoding.name,
                "value": each.value,
                "plausible": each.plausible,
                "reasons": [reason.value for reason in each.reasons],
            }
            for each in view.judged
        ],
    }


def _raw(view: View) -> Iterator[str]:
    if view.place.table.holds_bits:
        yield f"bit {view.words[0]}"
        return
    words = view.words[:_WORDS_SHOWN_MAX]
    yield "address " + "".join(f"{view.place.offset + i:>8}" for i in range(len(words)))
    yield "hex     " + "".join(f"{word:>8}" for word in (f"{word:04X}" for word in words))
    yield "decimal " + "".join(f"{word:>8}" for word in words)
    if any(word & 0x8000 for word in words):
        yield "signed  " + "".join(f"{word - (word >> 15 << 16):>8}" for word in words)
    if (bit := view.place.bit) is not None:
        yield f"bits 15 to 0: {words[0]:016b}, of which bit {bit} is {words[0] >> bit & 1}"


def _merged(judged: Sequence[Judged]) -> Iterator[tuple[Judged, tuple[str, ...]]]:
    """Those that differ in nothing but the name for this value, and all zeros, stand on the line of the best of them."""
    same: dict[object, list[Judged]] = {}
    for each in judged:
        same.setdefault(_meaning(each), []).append(each)
    for best, *others in same.values():
        yield best, tuple(f"{each.decoding.name} (No. {each.decoding.number})" for each in others)


def _meaning(judged: Judged) -> object:
    decoding = judged.decoding
    if not judged.plausible:
        return decoding.number
    if Reason.ALL_ZERO in judged.reasons:
        return Reason.ALL_ZERO
    return judged.value, decoding.width, decoding.order, decoding.scale, decoding.offset


def _row(judged: Judged, same: Sequence[str]) -> tuple[str, str, str, str, str]:
    why = ", ".join(reason.value for reason in judged.reasons)
    if same:
        more = f" and {len(same) - _SAME_MAX} more" if len(same) > _SAME_MAX else ""
        why += f"; the same: {', '.join(same[:_SAME_MAX])}{more}"
    mark = "*" if judged.plausible else ""
    return mark, str(judged.decoding.number), judged.decoding.name, in_words(judged.value), why


def in_words(value: Value) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return repr(value)
    return f"{value:.7g}" if abs(value) < 1e7 else f"{value:.15g}"
