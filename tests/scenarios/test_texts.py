"""A text in a device's registers is a sentence in the control room's journal, each time that it changes."""

from __future__ import annotations

import pytest

from aggregator.journal.log import JournalKind
from aggregator.pages.sentences import line
from aggregator.pages.texts import Language, texts
from hil_tests.field import one_device, wait_for

DEVICE = "plant"

pytestmark = pytest.mark.timeout(120)


def test_a_changed_batch_name_reads_as_a_sentence_in_the_journal(open_field):
    letters = {"kind": "constant", "value": int.from_bytes(b"A1", "big")}
    field = open_field(one_device(DEVICE, [{"name": "letters", "signal": letters}]))
    points = [
        {"tag": "LOT", "register": "holding", "address": 0, "type": "string", "length": 1, "unit": "1", "poll_s": 0.1},
        {"tag": "NUMBER", "register": "holding", "address": 0, "type": "uint16", "unit": "1", "poll_s": 0.1},
    ]
    agent = field.add_agent("gate", DEVICE, points)
    field.start()
    wait_for(lambda: _changes(field) == [("LOT", None, "A1")], "the first text is on record")
    field.rig.command(DEVICE, "step", "letters", int.from_bytes(b"A2", "big"))
    wait_for(lambda: _changes(field)[1:] == [("LOT", "A1", "A2")], "its change is on record")
    agent.program.stop()
    field.wait_until_drained(agent)
    field.aggregator.program.stop()
    assert not field.audit(agent).findings
    assert _sentences(field) == ['LOT text changed: – → "A1"', 'LOT text changed: "A1" → "A2"']


def _changes(field) -> list[tuple[str, str | None, str]]:
    found = [each["data"] for each in field.aggregator.events("gate") if each["type"] == "text_change"]
    return [(each["tag"], each["former_text"], each["text"]) for each in found]


def _sentences(field) -> list[str]:
    """From the bytes as they were stored."""
    stored = [event for (event,) in field.aggregator.rows("SELECT open FROM events ORDER BY seq")]
    record = b'{"data":{},"late":false}'
    lines = [line(texts(Language.EN), JournalKind.EVENT, record, b"", event).what for event in stored]
    return [each for each in lines if "text changed" in each]
