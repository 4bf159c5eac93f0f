"""What is sent in place of a reply, kind by kind, with time handed in and chance seeded."""

from __future__ import annotations

from contract.clock import NS_PER_S
from hil_tests.rig.commands import ClearMischief, Misbehave, MischiefKind
from hil_tests.rig.mischief import HELD_NS_MAX, Mischief, Sending
from hil_tests.rig.modbus_frames import Request, RtuFrames, SocketFrames

PDU = b"\x03\x02\x00\x07"
FRAMES = SocketFrames()
RIGHT = FRAMES.frame(1, 10, PDU)


def request(number: int = 10) -> Request:
    return Request(1, number, b"\x03\x00\x00\x00\x01")


def told(*commands: Misbehave) -> Mischief:
    mischief = Mischief()
    for each in commands:
        mischief.tell(each)
    return mischief


def sent(kind: MischiefKind, **more: float) -> Sending:
    return told(Misbehave(kind, seconds=more.get("seconds", 0.0))).done_to(FRAMES, request(), PDU, 0)


def test_without_mischief_the_reply_goes_out_as_it_is() -> None:
    assert Mischief().done_to(FRAMES, request(), PDU, 0) == Sending(((0.0, RIGHT),))


def test_each_kind_does_what_it_says() -> None:
    assert sent(MischiefKind.RESET) == Sending(reset=True, done=(MischiefKind.RESET,))
    assert sent(MischiefKind.DROP) == Sending(done=(MischiefKind.DROP,))
    assert sent(MischiefKind.DUPLICATE).frames == ((0.0, RIGHT), (0.0, RIGHT))
    assert sent(MischiefKind.DELAY, seconds=0.3).frames == ((0.3, RIGHT),)
    assert sent(MischiefKind.BUSY).frames == ((0.0, FRAMES.frame(1, 10, b"\x83\x06")),)
    ((_, cut),) = sent(MischiefKind.TRUNCATE).frames
    assert 0 < len(cut) < len(RIGHT)
    assert RIGHT.startswith(cut)
    ((_, wrong_number),) = sent(MischiefKind.WRONG_NUMBER).frames
    assert (wrong_number[:2] != RIGHT[:2], wrong_number[2:]) == (True, RIGHT[2:])
    ((_, wrong_unit),) = sent(MischiefKind.WRONG_UNIT).frames
    assert (wrong_unit[6] != 1, wrong_unit[:6] + wrong_unit[7:]) == (True, RIGHT[:6] + RIGHT[7:])
    ((_, damaged),) = sent(MischiefKind.CORRUPT).frames
    assert sum((a ^ b).bit_count() for a, b in zip(damaged, RIGHT, strict=True)) == 1


def test_a_crossed_reply_answers_the_next_request_and_the_one_after_gets_that_ones() -> None:
    mischief = told(Misbehave(MischiefKind.CROSS))
    assert mischief.done_to(FRAMES, request(10), PDU, 0).frames == ()
    assert mischief.done_to(FRAMES, request(11), PDU, 1).frames == ((0.0, RIGHT),)
    assert mischief.done_to(FRAMES, request(12), PDU, 2).frames == ((0.0, FRAMES.frame(1, 11, PDU)),)
    mischief.tell(ClearMischief(MischiefKind.CROSS))
    frames = mischief.done_to(FRAMES, request(13), PDU, 3).frames
    assert frames == ((0.0, FRAMES.frame(1, 12, PDU)), (0.0, FRAMES.frame(1, 13, PDU)))


def test_a_reply_that_is_held_too_long_is_lost() -> None:
    mischief = told(Misbehave(MischiefKind.CROSS))
    mischief.done_to(RtuFrames(), request(), PDU, 5)
    assert mischief.done_to(RtuFrames(), request(), PDU, 5 + HELD_NS_MAX).frames == ()


def test_the_same_seed_hits_the_same_replies_and_about_as_many_as_asked() -> None:
    def hits(seed: int) -> list[bool]:
        mischief = told(Misbehave(MischiefKind.DROP, 0.2, seed))
        return [not mischief.done_to(FRAMES, request(), PDU, i * NS_PER_S).frames for i in range(1000)]

    assert hits(7) == hits(7) != hits(8)
    assert 140 < sum(hits(7)) < 260


def test_all_of_it_can_be_ended_at_once() -> None:
    mischief = told(Misbehave(MischiefKind.DROP), Misbehave(MischiefKind.CROSS))
    mischief.done_to(FRAMES, request(), PDU, 0)
    mischief.tell(ClearMischief())
    assert mischief.done_to(FRAMES, request(), PDU, 1) == Sending(((0.0, RIGHT),))
