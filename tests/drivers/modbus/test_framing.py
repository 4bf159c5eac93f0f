"""Replies that are late, crossed, doubled, cut, foreign or damaged: what they become, whatever the chunks they come in."""

from __future__ import annotations

import itertools
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from drivers.modbus.address import Table
from drivers.modbus.framing import Garbled, Reply, RtuFraming, SocketFraming
from drivers.modbus.planner import ReadRequest

units = st.integers(1, 247)
requests = st.builds(ReadRequest, st.sampled_from(Table), st.integers(0, 65_000), st.integers(1, 60), st.just((0,)))


def data_of(unit, request, seed=0):
    """What a device holds there: other data for every unit, table and place."""
    return random.Random(f"{unit} {request.table} {request.start} {seed}").randbytes(request.reply_size)


def reply_pdu(unit, request, seed=0):
    data = data_of(unit, request, seed)
    return bytes((request.function, len(data))) + data


def rtu(unit, pdu):
    frame = bytes((unit,)) + pdu
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def tcp(number, unit, pdu):
    return struct.pack(">HHHB", number, 0, len(pdu) + 1, unit) + pdu


def number_of(frame):
    return int.from_bytes(frame[:2], "big")


def fed(framing, data, draw):
    """All outcomes of data that comes in chunks of any size."""
    outcomes = []
    while data:
        size = draw(st.integers(1, len(data)))
        outcomes.append(framing.feed(data[:size]))
        data = data[size:]
    return [outcome for outcome in outcomes if outcome is not None]


def test_requests_are_framed_as_the_specification_shows():
    request = ReadRequest(Table.HOLDING, 0x6B, 3, (0,))
    assert SocketFraming(itertools.count(0x1501)).ask(0x11, request).hex() == "150100000006" + "1103006b0003"
    assert RtuFraming().ask(0x11, request).hex() == "1103006b00037687"


@given(units, requests, st.data())
def test_a_reply_is_taken_in_whatever_chunks_it_comes(unit, request, data):
    socket = SocketFraming(itertools.count(7))
    number = number_of(socket.ask(unit, request))
    expected = [Reply(data_of(unit, request), None)]
    assert fed(socket, tcp(number, unit, reply_pdu(unit, request)), data.draw) == expected
    line = RtuFraming()
    line.ask(unit, request)
    assert fed(line, rtu(unit, reply_pdu(unit, request)), data.draw) == expected


@given(units, requests, st.integers(1, 255), st.data())
def test_a_refusal_is_taken_with_its_code(unit, request, code, data):
    pdu = bytes((request.function | 0x80, code))
    socket = SocketFraming(itertools.count(65_536))
    number = number_of(socket.ask(unit, request))
    assert fed(socket, tcp(number, unit, pdu), data.draw) == [Reply(b"", code)]
    line = RtuFraming()
    line.ask(unit, request)
    assert fed(line, rtu(unit, pdu), data.draw) == [Reply(b"", code)]


@given(units, st.lists(requests, min_size=2, max_size=5), st.data())
def test_over_tcp_a_reply_to_another_number_is_left_out(unit, asked, data):
    """Late, crossed and doubled replies carry the number of their own request."""
    socket = SocketFraming(itertools.count(data.draw(st.integers(0, 65_535))))
    numbers = [number_of(socket.ask(unit, request)) for request in asked]
    strangers = data.draw(st.lists(st.integers(0, len(asked) - 2), max_size=4))
    stream = b"".join(tcp(numbers[i], unit, reply_pdu(unit, asked[i], "late")) for i in strangers)
    stream += tcp(numbers[-1], unit, reply_pdu(unit, asked[-1]))
    stream += tcp(numbers[-1], unit, reply_pdu(unit, asked[-1], "copy"))
    assert fed(socket, stream, data.draw) == [Reply(data_of(unit, asked[-1]), None)]


@given(units, units, requests, requests, st.data())
def test_on_a_line_a_reply_of_another_unit_or_length_is_left_out(unit, other, asked, former, data):
    if (unit, asked.function, asked.reply_size) == (other, former.function, former.reply_size):
        return
    line = RtuFraming()
    line.ask(other, former)
    line.ask(unit, asked)
    glitches = data.draw(st.lists(st.sampled_from([b"\x00", b"\xff"]), max_size=4).map(b"".join))
    late = rtu(other, reply_pdu(other, former))
    outcomes = fed(line, glitches + late + rtu(unit, reply_pdu(unit, asked)), data.draw)
    assert outcomes == [Reply(data_of(unit, asked), None)]


@given(units, requests)
def test_on_a_line_a_doubled_reply_is_one_and_two_different_ones_are_none(unit, request):
    line = RtuFraming()
    line.ask(unit, request)
    frame = rtu(unit, reply_pdu(unit, request))
    assert line.feed(frame + frame) == Reply(data_of(unit, request), None)
    other = bytes((frame[3] ^ 1,)) + frame[4:-2]
    line.ask(unit, request)
    outcome = line.feed(frame + rtu(unit, bytes((request.function, len(other))) + other))
    assert isinstance(outcome, Garbled)


@given(units, requests, st.binary(min_size=1, max_size=3), st.booleans())
def test_on_a_line_a_frame_among_bytes_that_make_no_sense_is_not_taken(unit, request, noise, before):
    if all(byte in (0, 255) for byte in noise):
        return
    line = RtuFraming()
    line.ask(unit, request)
    frame = rtu(unit, reply_pdu(unit, request))
    assert line.feed(noise + frame if before else frame + noise) is None


@given(units, requests, st.data())
def test_what_lay_on_the_line_before_the_request_answers_nothing(unit, request, data):
    line = RtuFraming()
    line.ask(unit, request)
    frame = rtu(unit, reply_pdu(unit, request, "before"))
    cut = data.draw(st.integers(0, len(frame) - 1))
    line.feed(frame[:cut])
    line.ask(unit, request)
    assert line.feed(rtu(unit, reply_pdu(unit, request))) == Reply(data_of(unit, request), None)


@pytest.mark.parametrize(
    ("stranger", "why"),
    [
        (lambda number, pdu: tcp(number, 9, pdu), "unit 9 answered for unit 3"),
        (lambda number, pdu: tcp(number, 3, pdu[:-1]), "does not fit"),
        (lambda number, pdu: tcp(number, 3, pdu + b"\0"), "does not fit"),
        (lambda number, pdu: tcp(number, 3, bytes((pdu[0] ^ 7,)) + pdu[1:]), "does not fit"),
        (lambda number, pdu: struct.pack(">HHHB", number, 1, len(pdu) + 1, 3) + pdu, "not Modbus TCP"),
        (lambda number, pdu: struct.pack(">HHHB", number, 0, 1, 3) + pdu, "not Modbus TCP"),
        (lambda number, pdu: struct.pack(">HHHB", number, 0, 255, 3) + pdu, "not Modbus TCP"),
    ],
)
def test_a_reply_that_contradicts_its_number_ends_the_connection(stranger, why):
    request = ReadRequest(Table.INPUT, 5, 4, (0,))
    socket = SocketFraming(itertools.count(1))
    number = number_of(socket.ask(3, request))
    outcome = socket.feed(stranger(number, reply_pdu(3, request)))
    assert isinstance(outcome, Garbled)
    assert why in outcome.text


def damaged(frame, rng):
    """A frame after one of the things that happen on the way."""
    match rng.randrange(5):
        case 0:  # a bit turned
            at = rng.randrange(len(frame) * 8)
            return frame[: at // 8] + bytes((frame[at // 8] ^ 1 << at % 8,)) + frame[at // 8 + 1 :]
        case 1:  # cut
            return frame[: rng.randrange(len(frame))]
        case 2:  # a byte lost
            at = rng.randrange(len(frame))
            return frame[:at] + frame[at + 1 :]
        case 3:  # a byte too many
            at = rng.randrange(len(frame) + 1)
            return frame[:at] + rng.randbytes(1) + frame[at:]
        case _:  # noise around it
            return rng.randbytes(rng.randrange(4)) + frame + rng.randbytes(rng.randrange(4))


def values_on_a_line(seed, count):
    """Ask ``count`` times; how many values came. Late, crossed and damaged frames come as well."""
    rng = random.Random(seed)
    line, values = RtuFraming(), 0
    for _ in range(count):
        unit = rng.randint(1, 9)
        request = ReadRequest(rng.choice(list(Table)), rng.randrange(999), rng.randint(1, 12), (0,))
        other = ReadRequest(request.table, request.start + 50, request.count + 17, (0,))
        line.ask(unit, request)
        frames = [rtu(unit, reply_pdu(unit, request))]
        if rng.random() < 0.3:
            frames.insert(0, rtu(unit, reply_pdu(unit, other, "late")))
        if rng.random() < 0.3:
            frames.insert(0, rtu(unit % 9 + 1, reply_pdu(unit % 9 + 1, request, "crossed")))
        if rng.random() < 0.7:
            frames[-1] = damaged(frames[-1], rng)
        outcome = line.feed(b"".join(frames))
        if isinstance(outcome, Reply) and outcome.exception is None:
            values += 1
            assert outcome.payload == data_of(unit, request), f"seed {seed}"
    return values


def values_over_tcp(seed, count):
    """The same over TCP, where bits do not turn; what garbles the stream ends the connection."""
    rng = random.Random(seed)
    socket, values, former = SocketFraming(itertools.count()), 0, [(0, 1, ReadRequest(Table.HOLDING, 0, 1, (0,)))]
    for _ in range(count):
        unit = rng.randint(1, 9)
        request = ReadRequest(rng.choice(list(Table)), rng.randrange(999), rng.randint(1, 12), (0,))
        number = number_of(socket.ask(unit, request))
        pdu = reply_pdu(unit, request)
        frames = [tcp(number, unit, pdu)]
        match rng.randrange(8):
            case 0:  # late or doubled: the answer to a former request, of the same form
                late, other, asked = rng.choice(former)
                frames.insert(0, tcp(late, other, reply_pdu(other, asked, "late")))
            case 1:  # crossed: our number, and another unit's answer
                frames = [tcp(number, unit % 9 + 1, reply_pdu(unit % 9 + 1, request, "crossed"))]
            case 2:  # cut by its own account
                frames = [tcp(number, unit, pdu[: rng.randrange(1, len(pdu))])]
            case 3:  # cut on the way: the next reply continues the frame
                frames = [frames[0][: rng.randrange(len(frames[0]))]]
            case 4:  # another length
                longer = ReadRequest(request.table, request.start, request.count + 16, (0,))
                frames = [tcp(number, unit, reply_pdu(unit, longer, "longer"))]
            case 5:  # a number that nobody gave
                frames = [tcp((number + rng.randrange(1, 65_536)) % 65_536, unit, reply_pdu(unit, request, "stranger"))]
            case _:
                pass
        former = [*former[-3:], (number, unit, request)]
        outcome = socket.feed(b"".join(frames))
        if isinstance(outcome, Garbled):
            socket = SocketFraming(itertools.count(rng.randrange(65_536)))
            former = [(number, unit, request)]
        elif outcome is not None:
            values += 1
            assert outcome.payload == data_of(unit, request), f"seed {seed}"
    return values


@pytest.mark.parametrize("seed", range(4))
def test_of_many_replies_with_faults_none_gives_a_wrong_value(seed):
    assert values_on_a_line(seed, 2_000) > 300
    assert values_over_tcp(seed, 2_000) > 400
