"""The drawn table is the one that the program looks up."""

from __future__ import annotations

import runpy
from pathlib import Path

from aggregator.alarms.states import Event, Mode, Reason
from aggregator.journal.log import JournalKind

ROOT = Path(__file__).parents[3]


def test_the_document_is_what_is_drawn_from_the_table():
    drawn = runpy.run_path(str(ROOT / "tools" / "draw_alarm_states.py"))["text"]()
    assert (ROOT / "docs" / "reference" / "alarm-states.md").read_text("utf-8") == drawn


def test_every_word_of_the_table_is_in_the_document():
    text = (ROOT / "docs" / "reference" / "alarm-states.md").read_text("utf-8")
    assert [mode for mode in Mode if mode not in text] == []
    assert [event for event in Event if f"`{event}`" not in text] == []
    told = (ROOT / "docs" / "reference" / "alarms.md").read_text("utf-8")
    assert [reason for reason in Reason if f"`{reason}`" not in told] == []
    assert [kind for kind in (JournalKind.ALARM, JournalKind.ACTION_REFUSED) if f"`{kind}`" not in told] == []
