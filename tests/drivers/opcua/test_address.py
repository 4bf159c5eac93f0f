"""Which node a text means, and what is said of a text that means none."""

from __future__ import annotations

import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.points import PointSpec, PointType
from drivers.base import PointFault
from drivers.opcua import OpcUa
from drivers.opcua.address import AlarmAddress, NodeAddress, examine, parse

GUID = "72962b91-fa75-4ae6-8d28-b404dc7daf63"


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("nsu=urn:park:reactor;s=TT-301", NodeAddress("urn:park:reactor", "TT-301")),
        ("nsu=http://maker.example/plc;i=4711", NodeAddress("http://maker.example/plc", 4711)),
        (f"nsu=urn:a;g={GUID}", NodeAddress("urn:a", uuid.UUID(GUID))),
        ("nsu=urn:a;b=TTMwMQ==", NodeAddress("urn:a", b"M301")),
        ("i=2258", NodeAddress(None, 2258)),
        ('nsu=urn:a;s="DB"."x;y=1"', NodeAddress("urn:a", '"DB"."x;y=1"')),
        ("nsu=urn:a%3Bb%253B;s=x", NodeAddress("urn:a;b%3B", "x")),
        ("nsu=urn:a%20b;s=x", NodeAddress("urn:a%20b", "x")),
    ],
)
def test_a_node_id_is_understood(text, node):
    assert parse(text) == node


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("ns=2;s=TT-301", "can change", "nsu=URI;s=TT-301"),
        ("svr=1;ns=2;i=5", "can change", "nsu=URI;i=5"),
        ("TT-301", "no NodeId", "nsu="),
        ("", "no NodeId", "nsu="),
        ("nsu=urn:a", "no NodeId", "nsu="),
        ("nsu=;s=x", "empty", "nsu="),
        ("s=TT-301", "namespace is missing", "nsu="),
        (f"g={GUID}", "namespace is missing", "nsu="),
        ("nsu=urn:a;s=", "0 characters", "1 to 4096"),
        ("nsu=urn:a;s=" + "x" * 4097, "4097 characters", "1 to 4096"),
        ("i=4294967296", "numeric", "4294967295"),
        ("i=-1", "numeric", "0 to"),
        ("nsu=urn:a;i=１", "numeric", "0 to"),
        ("nsu=urn:a;g=72962b91", "no GUID", "72962b91-"),
        ("nsu=urn:a;b=?", "opaque", "Base64"),
        ("nsu=urn:a;b=", "opaque", "Base64"),
    ],
)
def test_what_is_no_node_id_is_one_fault_with_a_remedy(text, message, remedy):
    fault = parse(text)
    assert isinstance(fault, PointFault)
    assert fault.column == "address"
    assert message in fault.message
    assert remedy in fault.remedy


@given(uri=st.text(min_size=1, max_size=40), identifier=st.text(min_size=1, max_size=40) | st.binary(min_size=1))
def test_every_uri_and_identifier_can_be_written(uri, identifier):
    escaped = uri.replace("%", "%25").replace(";", "%3B")
    tail = f"s={identifier}" if isinstance(identifier, str) else f"b={base64.b64encode(identifier).decode()}"
    assert parse(f"nsu={escaped};{tail}") == NodeAddress(uri, identifier)


@given(st.text(max_size=60))
def test_any_text_is_a_node_or_a_fault(text):
    assert isinstance(parse(text), (NodeAddress, PointFault))


def test_faults_of_numbers_come_with_those_of_the_address(new_point):
    node, faults = examine(new_point(2, "ns=2;s=x", PointType.FLOAT64, scale=2.0, poll_s=0.0))
    assert node is None
    assert [fault.column for fault in faults] == ["scale", "poll_s", "address"]
    assert examine(new_point(2, "x", scale=2.0))[0] is None


@pytest.mark.parametrize(
    ("text", "source", "name"),
    [
        ("alarm(nsu=urn:maker:plant;s=TT-301)", NodeAddress("urn:maker:plant", "TT-301"), None),
        ("alarm(nsu=urn:maker:plant;s=TT-301;HighHigh)", NodeAddress("urn:maker:plant", "TT-301"), "HighHigh"),
        ("alarm(i=2253)", NodeAddress(None, 2253), None),
        ("alarm(i=2253;Unset Condition Name)", NodeAddress(None, 2253), "Unset Condition Name"),
        ("alarm(nsu=u%3Bv;s=TT%3B301;a;b(c))", NodeAddress("u;v", "TT;301"), "a;b(c)"),
        ("alarm(nsu=u;s=f(x))", NodeAddress("u", "f(x)"), None),
    ],
)
def test_an_alarm_names_its_source_and_perhaps_a_condition(text, source, name):
    assert parse(text) == AlarmAddress(source, name)


@pytest.mark.parametrize(
    "text", ["alarm()", "alarm(TT)", "alarm(ns=2;s=TT)", "alarm(nsu=u;s=TT;)", "alarm(nsu=u;s=TT", "alarm(nsu=u;s=)"]
)
def test_other_alarms_are_refused(text):
    assert isinstance(parse(text), PointFault)


def test_a_node_that_two_points_read_is_told():
    node, other = "nsu=urn:park:reactor;s=TT-301", "nsu=urn:park:reactor;s=TT-302"
    points = [PointSpec(0, f"T{n}", "acme", "plc", address=each) for n, each in enumerate((node, other, node))]
    assert OpcUa().doubts(points) == [f"T0 and T2 read the same place, {node}"]
