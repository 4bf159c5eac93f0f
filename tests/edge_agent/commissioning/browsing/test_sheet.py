"""Nodes become addresses, units and tags that the I/O list takes."""

from __future__ import annotations

import math
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contract.ids import is_tag
from drivers.opcua.address import NodeAddress, parse
from drivers.opcua.values import BuiltIn, Reading
from edge_agent.commissioning.browsing.listing import matching, variable_lines
from edge_agent.commissioning.browsing.nodes import Variable, address_of, range_of, value_text
from edge_agent.commissioning.browsing.sheet import make, tags
from edge_agent.commissioning.browsing.tree import Node, NodeKey
from edge_agent.commissioning.browsing.units import UNECE_URI, meant, unit_of

IDENTIFIERS = (
    st.integers(0, 2**32 - 1) | st.text(min_size=1, max_size=40) | st.uuids() | st.binary(min_size=1, max_size=20)
)
URIS = st.text(min_size=1, max_size=30)
NAMES = st.text(min_size=1, max_size=70)
NAMESPACES = ["http://opcfoundation.org/UA/", "urn:own", "urn:plant"]


@given(IDENTIFIERS, URIS)
@example("a;b%3b", "urn:a;b")
@example("x", "urn:100%3b")
def test_an_address_reads_back_as_the_node(identifier, uri):
    text = address_of(NodeKey(1, identifier), ["", uri])
    assert text is not None
    assert parse(text) == NodeAddress(uri, identifier)


def test_a_namespace_without_a_uri_gives_no_address():
    assert address_of(NodeKey(3, 5), NAMESPACES) is None
    assert address_of(NodeKey(0, 2258), NAMESPACES) == "i=2258"


@given(st.lists(st.lists(NAMES, min_size=1, max_size=4), max_size=12), st.sets(NAMES, max_size=3))
def test_tags_are_valid_and_no_two_are_alike(paths, taken):
    proposed = tags(paths, taken)
    assert all(map(is_tag, proposed))
    assert len({*proposed}) == len(paths)
    assert not taken.intersection(proposed)
    assert not any(tag.startswith(("#", "=", "+", "-", "@")) for tag in proposed)


def test_a_tag_has_as_few_names_of_the_path_as_tell_it_apart():
    paths = [("Plant", "Tank1", "Level"), ("Plant", "Tank2", "Level"), ("Plant", "TT-301"), ("Plant", "FT-1", "Value")]
    assert tags(paths, set()) == ["Tank1.Level", "Tank2.Level", "TT-301", "FT-1.Value"]
    assert tags([("a", "plc")], {"plc"}) == ["a.plc"]
    assert tags([("x",), ("x",)], set()) == ["x", "x-2"]


@pytest.mark.parametrize(
    ("number", "name", "symbol"),
    [
        (4408652, "degrees", "degC"), (-1, "°C", "degC"), (-1, "℃", "degC"), (-1, "m³/h", "m3/h"), (-1, "mg/m³", "mg/m3"),
        (0x4B5041, "KPA", "kPa"), (-1, "MPa", "MPa"), (-1, "mPa", None), (-1, "bushel", None), (-1, "", None),
        (0x3539, "x", "ppm"),
    ],
)  # fmt: skip
def test_units_are_those_that_are_surely_meant(number, name, symbol):
    assert unit_of(UNECE_URI, number, name) == symbol


def test_a_number_of_another_list_of_units_means_nothing():
    assert unit_of("urn:maker:units", 4408652, "degrees") is None


def variable(name="TT-1", value=1.5, type_=BuiltIn.DOUBLE, status=0, key=None, **more):
    node = Node(key or NodeKey(2, name), ("Plant", name), is_variable=True, title=more.pop("title", name))
    return Variable(node, Reading(status, type_, value, None), more.pop("data_type", None), **more)


def sheet(*variables):
    return make(variables, NAMESPACES, "plc", "store", {"plc"})


def test_a_row_has_what_the_server_says():
    (row,) = sheet(variable(unit=meant(UNECE_URI, 4408652, "°C"), range=(-50.0, 150.0), title="Reactor top")).rows
    assert row == {
        "tag": "TT-1", "source": "store", "device": "plc", "address": "nsu=urn:plant;s=TT-1", "type": "float64",
        "unit": "degC", "range_low": "-50", "range_high": "150", "description": "Reactor top",
    }  # fmt: skip


def test_a_unit_that_is_not_ours_stays_empty_and_is_told():
    made = sheet(variable(unit=meant("urn:x", 5, "furlong")))
    assert made.rows[0]["unit"] == ""
    assert made.unit_unknown == [("Plant/TT-1", "furlong")]
    assert made.unit_missing == 0


def test_a_number_without_unit_says_one_and_is_counted_while_bits_and_texts_need_none():
    made = sheet(variable(), variable("XS", True, BuiltIn.BOOLEAN), variable("T", "on", 12))
    assert [row["unit"] for row in made.rows] == ["1", "state", "1"]
    assert made.unit_missing == 1


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"value": [1.0, 2.0]}, "it holds a list"),
        ({"value": object(), "type_": 22}, "it holds no number and no text (Structure)"),
        ({"value": None, "type_": None}, "it holds no number and no text (?)"),
        ({"key": NodeKey(9, 1)}, "the server has no URI for its namespace"),
        ({"key": NodeKey(2, "x ")}, "its identifier ends with a blank"),
        ({"key": NodeKey(2, "")}, "the identifier has 0 characters"),
        ({"key": NodeKey(2, "x" * 1100)}, "its address has more than 1024 characters"),
    ],
)
def test_what_cannot_be_a_point_is_left_out_with_the_reason(odd, why):
    made = sheet(variable(**odd))
    assert made.rows == []
    assert made.left_out == [("Plant/TT-1", why)]


def test_a_node_without_a_value_has_the_type_that_it_says():
    (row,) = sheet(variable(value=None, type_=None, status=0x80310000, data_type=NodeKey(0, 10))).rows
    assert row["type"] == "float32"


def test_no_number_is_shown_under_a_bad_status_and_nothing_that_a_terminal_obeys():
    lines = list(variable_lines([variable(status=0x808C0000), variable("\x1b[2J")], NAMESPACES))
    assert "1.5" not in lines[0]
    assert "BadSensorFailure" in lines[0]
    assert all(line.isprintable() for line in lines)
    assert value_text(Reading(0, 12, "\x1b]0;x", None)).isprintable()


def test_ranges_that_nobody_filled_in_are_none():
    assert range_of(0.0, 0.0) is None
    assert range_of(math.nan, 1.0) is None
    assert range_of(0.0, math.inf) is None
    assert range_of(-1.0, 1) == (-1.0, 1.0)


def test_globs_go_over_the_whole_path_and_leave_objects_out():
    nodes = [
        Node(NodeKey(1, 1), ("Plant", "Tank1", "Level"), is_variable=True),
        Node(NodeKey(1, 2), ("Plant", "Tank1"), is_variable=False),
        Node(NodeKey(1, uuid.UUID(int=1)), ("Plant", "Pump"), is_variable=True),
    ]
    assert [node.path[-1] for node in matching(nodes, ["*/tank*/LEVEL"])] == ["Level"]
    assert [node.path[-1] for node in matching(nodes, [])] == ["Level", "Pump"]
