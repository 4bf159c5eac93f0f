"""``points.csv``, the I/O list that engineers keep in a spreadsheet, becomes points or faults by row and column. Pure.

One row is one measured point; each device's own point is added by ``load``. Columns (* must be there)::

    tag*           name of the point, unique in the list
    source*        hazard source, or source/unit, under the organisation of agent.toml
    device*        name of a [[device]]
    register       Modbus*: holding | input | coil | discrete; the column must be there
    address*       Modbus: as it goes over the wire, from 0; OPC UA: a NodeId with the URI of its namespace
    bit            Modbus: 0 (least significant) to 15, for a bit inside a register; 4-7 for a field of bits
    type*          bit uint16 int16 uint32 int32 uint64 int64 float32 float64
                   Modbus: also bcd16 bcd32 bcd64 tenths16 float16
                   string: a text, whose changes become events; nothing that judges or scales a number goes with it
    word_order     Modbus: ABCD (default) | CDAB | BADC | DCBA
    read           Modbus: alone, or the start+count of the one request that may read it, as 0+2
    status         Modbus: meaning@register of a status word, as regard@5 or regard@input:5
    decimals       Modbus: the register that holds the number of decimals
    factor         Modbus: the register that the value is multiplied by, as 3 or 3*0.001
    ne43           Modbus: the numbers at 4 and at 20 mA, as 5530..27648; empty: no current
    length         Modbus*: of a string, in registers
    encoding       Modbus: of a string: ascii (default) | utf-8 | gb18030
    scale, offset  value = raw * scale + offset; 1 and 0; integers and bits only
    unit*          a symbol of contract.units
    range_low, range_high   of the instrument; empty: not watched
    ll, l, h, hh   set-points; empty: none
    deadband       taken off on the way back to normal; 0
    on_delay_s     of l and h; 0
    on_delay_2_s   of ll and hh; 0, and 0 only for gases
    off_delay_s    of all four; 0
    class          safety (default) | advisory
    poll_s         0.05 to 3600; 1
    stale_s        2.5 polls: one missed poll never makes a value stale, two always do
    fault_on_delay_s, fault_off_delay_s   2 (4 with ne43) and 0
    over_range     a combustible head that reads as much was over its range, until edge-agent reset; range_high of %LEL and LEL.m
    range_hold_s   a value below range_low must last as long before it may raise l or ll; 4 with ne43, else 0
    frozen_s       the very same value for as long is a fault of its own; 0: may repeat for ever
    report_deadband   least change worth keeping; 0: any change; off or all: every sample; agent.toml has the default
    report_max_s   keep one at least this often; 60
    was            former tag, keeps the history
    description    text for people
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from contract.errors import Fault
from contract.points import ConditionClass, Limits, PointSpec, PointType
from contract.wire.frames import POINTS_PER_AGENT_MAX
from drivers.base import REGISTER_TYPES, DriverFactory, PointFault
from edge_agent.settings import cells, point_rules
from edge_agent.settings.suggest import did_you_mean, shown
from edge_agent.settings.table import Layout, Record, read_table

POINTS_FILE: Final = "points.csv"
REQUIRED: Final = ("tag", "source", "device", "register", "address", "type", "unit")
COLUMNS: Final = (
    "tag", "source", "device", "register", "address", "bit", "type", "word_order", "read", "status",
    "decimals", "factor", "ne43", "length", "encoding", "scale", "offset", "unit",
    "range_low", "range_high", "ll", "l", "h", "hh", "deadband", "on_delay_s", "on_delay_2_s", "off_delay_s", "class",
    "poll_s", "stale_s", "fault_on_delay_s", "fault_off_delay_s", "over_range", "frozen_s", "range_hold_s", "report_deadband",
    "report_max_s", "was",
    "description",
)  # fmt: skip
COMBUSTIBLE_UNITS: Final = frozenset({"%LEL", "LEL.m"})
NE43_HOLD_S: Final = 4.0
"""How long a current outside of its bands lasts before it means something (practice with NAMUR NE 43)."""
POLL_S_MIN: Final = 0.05
POLL_S_MAX: Final = 3600.0
DURATION_S_MAX: Final = 86_400.0
"""Longest delay, stale and report time: one day."""
STALE_POLLS: Final = 2.5
DESCRIPTION_LENGTH_MAX: Final = 512

ADDRESS_LENGTH_MAX: Final = 1024

_POSITIONS: Final = {column: position for position, column in enumerate(COLUMNS)}
_ORDERS: Final = ("ABCD", "CDAB", "BADC", "DCBA")
_REGISTERS: Final = ("holding", "input", "coil", "discrete")
_DRIVER_COLUMNS: Final = {"table": "register", "order": "word_order"}
"""The driver's words for columns that have another name here."""
_ADDRESS_REMEDY: Final = "Give 0 to 65535, as it goes over the wire: register 40001 of a manual is mostly holding, 0"
_OPTION_COLUMNS: Final = ("status", "decimals", "factor", "ne43", "length", "encoding")
"""Columns that the driver's address takes as ``;column=text``."""
_REGISTER_COLUMNS: Final = ("register", "bit", "word_order", "read", *_OPTION_COLUMNS)
_OPTION_LENGTH_MAX: Final = 30
"""So that the whole address stays within the 256 characters that the control room is told."""
_ONE_REGISTER: Final = frozenset({"bit", "uint16", "int16", "bcd16", "tenths16", "float16"})
_SCALED_BY_DEVICE: Final = ("decimals", "factor")
_TYPES: Final = {each.value: each for each in PointType}
_DURATION: Final = cells.number(0, DURATION_S_MAX)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What ``agent.toml`` says that rows depend on.

    ``devices`` gives each device's driver, None for one that is not known; None in place of the whole where the devices
    could not be read at all, so that no row is blamed for that.
    """

    organisation: str
    devices: Mapping[str, DriverFactory | None] | None
    report_deadband: float | None


@dataclass(frozen=True, slots=True)
class OtherRow:
    """A row that was made and stands in no list: ``where`` says whose it is, ``place`` gives file, row and column to mend."""

    cells: Mapping[str, str]
    where: str
    place: Callable[[str], tuple[str, int | None, str | None]]


@dataclass(frozen=True, slots=True)
class IoList:
    """Points in order of rows, their rows by tag, and the names in the column ``device`` (of faulty rows too)."""

    points: tuple[PointSpec, ...]
    rows: Mapping[str, int]
    devices: frozenset[str]


def read_io_list(
    data: bytes | None, surroundings: Surroundings, faults: list[Fault], others: Sequence[OtherRow] = ()
) -> IoList:
    """Read the whole file (None: there is none); what is wrong is added to ``faults`` in order of rows, one fault per cell
    at most. ``others`` are judged behind them in the same way.

    The points mean something only where no fault was added.
    """
    layout = Layout(POINTS_FILE, COLUMNS, REQUIRED, POINTS_PER_AGENT_MAX)
    records = [] if data is None else read_table(data, layout, faults)
    rows = [_Row(record, f"in row {record.row}") for record in records]
    rows += [_Row(Record(0, other.cells), other.where, other.place) for other in others]
    taken: dict[str, _Row] = {}
    for row in rows:
        taken.setdefault(row.text("tag"), row)
    renamed: dict[str, _Row] = {}
    told: set[tuple[object, str]] = set()
    points = []
    for row in rows:
        points.append(_read_point(row, surroundings))
        _check_names(row, taken, renamed, surroundings)
        faults.extend(row.sorted_faults(told))
    if not rows and not faults:
        faults.append(Fault(POINTS_FILE, None, None, "there are no points", "Add a row for each point"))
    numbers = {tag: row.record.row for tag, row in taken.items() if row.place is None}
    return IoList(tuple(points), numbers, frozenset(row.text("device") for row in rows))


@dataclass(frozen=True, slots=True)
class _Row:
    """A record while it is read; keeps the first fault of each column."""

    record: Record
    where: str
    place: Callable[[str], tuple[str, int | None, str | None]] | None = None
    faults: dict[str, PointFault] = field(default_factory=dict)

    def text(self, column: str) -> str:
        return self.record.cells.get(column, "")

    def read(self, column: str, parse: Callable[[str], T], default: T) -> T:
        """The value of a cell; ``default`` where it is empty or at fault."""
        text = self.text(column)
        try:
            if text:
                return parse(text)
        except cells.CellError as bad:
            self.add(PointFault(column, bad.message, bad.remedy))
        else:
            if column in REQUIRED and column in self.record.cells:
                self.add(PointFault(column, "the cell is empty", "Fill it: every point needs it"))
        return default

    def add(self, fault: PointFault) -> None:
        self.faults.setdefault(fault.column, fault)

    def lacks(self, *columns: str) -> bool:
        """True where one of the columns has no value to go by."""
        return any(column in self.faults or not self.text(column) for column in columns)

    def sorted_faults(self, told: set[tuple[object, str]]) -> Iterator[Fault]:
        """In order of columns; what a driver objects to beyond them comes last. One mistake that is behind many rows, such
        as a parameter of a model, is told once: ``told`` keeps what was."""
        for each in sorted(self.faults.values(), key=lambda fault: _POSITIONS.get(fault.column, len(COLUMNS))):
            if self.place is None:
                yield Fault(POINTS_FILE, self.record.row, *each)
            elif (key := (self.place(each.column), each.message)) not in told:
                told.add(key)
                yield Fault(*self.place(each.column), f"{self.text('tag')}: {each.message}", each.remedy)


def _read_point(row: _Row, surroundings: Surroundings) -> PointSpec:
    """The point of a row, with defaults where cells are at fault; all faults of its cells are in ``row`` then."""
    poll_s = row.read("poll_s", cells.number(POLL_S_MIN, POLL_S_MAX), 1.0)
    driver = (surroundings.devices or {}).get(row.text("device"))
    has_registers = driver.has_registers if driver else bool(row.text("register"))
    spec = PointSpec(
        id=0,
        tag=row.read("tag", cells.tag, ""),
        org=row.read("source", cells.org_path(surroundings.organisation), ""),
        device=row.text("device"),
        type=_read_type(row, has_registers=has_registers),
        address=_read_address(row) if has_registers else _read_own_address(row),
        scale=row.read("scale", cells.number(), 1.0),
        offset=row.read("offset", cells.number(), 0.0),
        unit=row.read("unit", cells.unit, "1"),
        range_low=row.read("range_low", cells.number(), math.nan),
        range_high=row.read("range_high", cells.number(), math.nan),
        limits=_read_limits(row),
        limit_class=ConditionClass(row.read("class", cells.choice(("safety", "advisory")), "safety")),
        poll_s=poll_s,
        stale_s=row.read("stale_s", _DURATION, min(STALE_POLLS * poll_s, DURATION_S_MAX)),
        fault_on_delay_s=row.read("fault_on_delay_s", _DURATION, NE43_HOLD_S if row.text("ne43") else 2.0),
        fault_off_delay_s=row.read("fault_off_delay_s", _DURATION, 0.0),
        over_range=_read_over_range(row),
        range_hold_s=row.read("range_hold_s", _DURATION, NE43_HOLD_S if row.text("ne43") else 0.0),
        frozen_s=row.read("frozen_s", _DURATION, 0.0),
        report_deadband=row.read("report_deadband", cells.report_deadband, surroundings.report_deadband),
        report_max_s=row.read("report_max_s", cells.number(POLL_S_MIN, DURATION_S_MAX), 60.0),
        was=row.read("was", _former_tag, None),
        description=row.read("description", cells.line(DESCRIPTION_LENGTH_MAX), ""),
    )
    for fault in point_rules.check(_without_faulty(row, spec)):
        row.add(fault)
    _check_word_order(row)
    _check_device(row, spec, surroundings.devices)
    return spec


def _read_own_address(row: _Row) -> str:
    """The address in the driver's own words, for a device that has no registers."""
    for column in _REGISTER_COLUMNS:
        if row.text(column):
            row.add(PointFault(column, "the device of this point has no registers", "Leave it empty"))
    return row.read("address", cells.text(ADDRESS_LENGTH_MAX), "")


def _read_type(row: _Row, *, has_registers: bool) -> PointType:
    """What the number is kept as: a number that the device scales by a register as a float."""
    known = {**_TYPES, **REGISTER_TYPES} if has_registers else _TYPES
    kept = known[row.read("type", cells.choice(known), "uint16")]
    scaled = has_registers and any(row.text(column) for column in _SCALED_BY_DEVICE)
    return PointType.FLOAT64 if scaled and kept is not PointType.STRING and "type" not in row.faults else kept


def _read_address(row: _Row) -> str:
    """``table:offset[.bit][/order][@read][;key=value]`` as the Modbus driver wants it, which looks at all but the first two.

    What is no different from an empty cell is left out, so that it means the same.
    """
    table = row.read("register", cells.choice(_REGISTERS), _REGISTERS[0])
    offset = row.read("address", cells.whole(65535, _ADDRESS_REMEDY), 0)
    order = row.read("word_order", cells.choice(_ORDERS), "")
    bit, read, *options = (row.read(column, _option, "") for column in ("bit", "read", *_OPTION_COLUMNS))
    coding = row.text("type")
    kept = _read_type(row, has_registers=True).value
    return (
        f"{table}:{offset}"
        + (f".{bit}" if bit else "")
        + (f"/{order}" if order not in {"", "ABCD"} else "")
        + (f"@{read}" if read else "")
        + (f";code={coding}" if coding != kept and "type" not in row.faults else "")
        + "".join(f";{key}={text}" for key, text in zip(_OPTION_COLUMNS, options, strict=True) if text)
    )


def _option(text: str) -> str:
    """A cell that the driver reads: only what would end it within the address is refused here."""
    if len(text) > _OPTION_LENGTH_MAX or any(sign in text for sign in "/;\n") or not text.isprintable():
        remedy = f"Use at most {_OPTION_LENGTH_MAX} characters without / and ;"
        raise cells.CellError(f"{shown(text)} cannot be read", remedy)
    return text


def _read_limits(row: _Row) -> Limits:
    ll, low, high, hh = (row.read(name, cells.number(), math.nan) for name in ("ll", "l", "h", "hh"))
    return Limits(
        ll, low, high, hh,
        deadband=row.read("deadband", cells.number(0), 0.0),
        on_delay_s=row.read("on_delay_s", _DURATION, 0.0),
        on_delay_2_s=row.read("on_delay_2_s", _DURATION, 0.0),
        off_delay_s=row.read("off_delay_s", _DURATION, 0.0),
    )  # fmt: skip


def _read_over_range(row: _Row) -> float:
    """Of combustible gas the end of the range where the cell is empty: beyond it a head may fall back (IEC 60079-29-1)."""
    end = row.read("range_high", cells.number(), math.nan) if row.text("unit") in COMBUSTIBLE_UNITS else math.nan
    return row.read("over_range", cells.number(), end)


def _former_tag(text: str) -> str | None:
    return cells.tag(text)


def _check_device(row: _Row, spec: PointSpec, devices: Mapping[str, DriverFactory | None] | None) -> None:
    """The device must exist, and its driver must be able to read the point."""
    row.read("device", cells.line(64), "")
    if devices is None or row.lacks("device"):
        return
    if spec.device not in devices:
        message = f"there is no device {shown(spec.device)} in agent.toml"
        row.add(PointFault("device", message, did_you_mean(spec.device, devices)))
        return
    driver = devices[spec.device]
    if driver is None or row.lacks("register" if driver.has_registers else "address", "type"):
        return
    for fault in driver.check_point(spec):
        row.add(fault._replace(column=_DRIVER_COLUMNS.get(fault.column, fault.column)))


def _check_word_order(row: _Row) -> None:
    """A value of one register has no words to put in order; only its two bytes can be swapped."""
    one_register = row.text("type") in _ONE_REGISTER
    if one_register and row.text("word_order") in {"CDAB", "DCBA"} and not row.lacks("register", "type"):
        message = f"{row.text('word_order')} reverses words, and a {row.text('type')} has only one"
        row.add(PointFault("word_order", message, "Leave it empty, or give BADC where the two bytes are swapped"))


def _without_faulty(row: _Row, spec: PointSpec) -> PointSpec:
    """Without what could not be read, so that no rule judges a default that stands in for a faulty cell."""
    if row.faults.keys() & {"scale", "offset"}:
        spec = replace(spec, type=PointType.FLOAT64, scale=1.0)
    if row.faults.keys() & {"poll_s", "stale_s"}:
        spec = replace(spec, poll_s=1.0, stale_s=STALE_POLLS)
    return spec


def _check_names(row: _Row, taken: Mapping[str, _Row], renamed: dict[str, _Row], surroundings: Surroundings) -> None:
    """Tags, devices and former tags are one name space: each name means one thing in the whole list."""
    tag, was = row.text("tag"), row.text("was")
    if tag and taken[tag] is not row:
        row.add(PointFault("tag", f"{shown(tag)} is also {taken[tag].where}", "Give each point a tag of its own"))
    if tag and surroundings.devices is not None and tag in surroundings.devices:
        message = f"{shown(tag)} is the name of a device, which has a point of that name"
        row.add(PointFault("tag", message, "Rename the point or the device"))
    if was and was in taken:
        message = f"{shown(was)} is still in use {taken[was].where}"
        row.add(PointFault("was", message, "Only a tag that is gone can be taken over"))
    if was and (first := renamed.setdefault(was, row)) is not row:
        message = f"{shown(was)} is taken over {first.where} already"
        row.add(PointFault("was", message, "A history can go on in one point only"))
