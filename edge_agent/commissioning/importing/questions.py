"""The words in which a person is asked what a list does not say. Pure."""

from __future__ import annotations

from edge_agent.commissioning.importing.devices import Site
from edge_agent.commissioning.importing.header import Header
from edge_agent.commissioning.importing.mapping import Question

_TABLES = (
    ("holding", "holding registers, function 03"), ("input", "input registers, function 04"),
    ("coil", "coils, function 01"), ("discrete", "discrete inputs, function 02"),
)  # fmt: skip
_TYPES = tuple((each, each) for each in ("float32", "int16", "uint16", "int32", "uint32", "bit"))
_ORDERS = (
    ("ABCD", "ABCD: high word first, as Modbus asks"), ("CDAB", "CDAB: low word first, as many controllers do"),
    ("BADC", "BADC: bytes of each word swapped"), ("DCBA", "DCBA: all reversed"),
)  # fmt: skip
_SCALES = (
    ("1", "the raw number is the value"), ("0..27648", "0..27648 is the range (Siemens)"), ("0..4095", "0..4095 is the range"),
    ("0..65535", "0..65535 is the range"), ("0..10000", "0..10000 is the range"),
)  # fmt: skip
_STYLES = (
    ("reference", "as manuals number them: 40001 is the first holding register"),
    ("wire", "as they go over the wire: the first register is 0"), ("numbered", "counted from 1: the first register is 1"),
)  # fmt: skip


def ask_default(name: str, site: Site, header: Header) -> Question:
    """About a column that the list lacks, or that is empty in some rows."""
    known = tuple((each, each) for each in site.devices or {})
    location = header.of("location")
    place = (("(location)", f"what {location.place} says of each point"),) if location else ()
    match name:
        case "device":
            return Question(
                "defaults", name, "Which device of agent.toml are the points read from?", known, free=not known
            )
        case "source":
            text = "Which hazard source (source or source/unit) do points without an area belong to?"
            return Question("defaults", name, text, place, free=True)
        case "register" | "register_bits":
            return Question("defaults", name, "Which Modbus table holds the points whose row does not say it?", _TABLES)
        case "type":
            return Question("defaults", name, "How is the number of points without a data type coded?", _TYPES)
        case "word_order":
            text = "In which order come the words of values with several registers? (edge-agent try shows all orders)"
            return Question("defaults", name, text, _ORDERS, default="ABCD")
        case _:
            assert name == "scale", name
            text = "What is a raw whole number worth where the list has no scale? (a factor, or raw ends as 0..27648)"
            return Question("defaults", name, text, _SCALES, default="1", free=True)


def ask_meaning(what: str, place: str, sample: str) -> Question:
    """About how signs are to be read in the whole list."""
    match what:
        case "style":
            return Question("address", "style", f"How are the addresses numbered? ({place} has {sample})", _STYLES)
        case "zero_x":
            text = f"What is 0x in an address? ({place} has {sample})"
            return Question(
                "address", "zero_x", text, (("hex", "a hexadecimal place on the wire"), ("coil", "coils, from 1"))
            )
        case _:
            text = f"What is the comma in a number? ({place} has {sample})"
            choices = (("decimal", "decimals follow: 1,500 is 1.5"), ("thousands", "thousands: 1,500 is 1500"))
            return Question("numbers", "comma", text, choices)
