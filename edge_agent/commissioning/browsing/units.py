"""Which of our units a server means by its EUInformation. Pure.

A unit that is not surely one of ``contract.units`` is None: the engineer says what it is, nobody guesses.
"""

from __future__ import annotations

from typing import Final

from contract.units import UNITS
from edge_agent.commissioning.browsing.nodes import Unit

UNECE_URI: Final = "http://www.opcfoundation.org/UA/units/un/cefact"
UNECE: Final = {
    "PAL": "Pa", "KPA": "kPa", "MPA": "MPa", "BAR": "bar", "CEL": "degC", "KEL": "K", "MTR": "m", "MMT": "mm",
    "KGM": "kg", "MTQ": "m3", "MQH": "m3/h", "59": "ppm", "DD": "deg", "RPM": "r/min", "AMP": "A", "VLT": "V",
    "KWT": "kW", "HTZ": "Hz", "SEC": "s", "MTS": "m/s", "P1": "%",
}  # fmt: skip
"""Codes of UNECE recommendation 20; OPC 10000-8, clause 5.6.3.4, makes numbers of their letters."""
_SIGNS: Final = str.maketrans({"³": "3", "²": "2", "µ": "u", "μ": "u", "^": "", " ": "", "·": "."})
_SPELLINGS: Final = {
    "℃": "degC", "°C": "degC", "deg.C": "degC", "Cel": "degC", "°": "deg", "rpm": "r/min", "1/min": "r/min",
    "l/min": "L/min", "LEL%": "%LEL", "vol%": "%vol", "Vol%": "%vol", "%Vol": "%vol", "%rH": "%RH", "rH%": "%RH",
}  # fmt: skip


def unit_of(namespace: str | None, number: int, name: str | None) -> str | None:
    """A symbol of ``contract.units``, by the number where it is one of the standard's, else by the name."""
    if namespace == UNECE_URI and (known := UNECE.get(_code(number))):
        return known
    plain = (name or "").translate(_SIGNS)
    plain = _SPELLINGS.get(plain, plain)
    return plain if plain in UNITS else None


def meant(namespace: str | None, number: int, name: str | None) -> Unit | None:
    """None for the empty unit that servers have where nobody filled it in."""
    symbol = unit_of(namespace, number, name)
    return Unit(name or symbol or "", symbol) if name or symbol else None


def _code(number: int) -> str:
    """The letters that a number was made of, first letter in the highest byte."""
    if not 0 < number < 2**31:
        return ""
    return number.to_bytes(4, "big").lstrip(b"\0").decode("ascii", "replace")
