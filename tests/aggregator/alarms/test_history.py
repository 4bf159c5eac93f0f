"""The past of alarms, as one person may see it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from aggregator.alarms.alarm import Instance, instance_row
from aggregator.alarms.policy import AlarmKey
from aggregator.alarms.service import HISTORY_MAX
from aggregator.alarms.tables import ALARM_INSTANCES
from aggregator.people.rights import covers
from contract.points import ConditionKind


@pytest.fixture
def past(room):
    """Writes instances: organisation paths, the newest first."""

    def write(*orgs):
        rows = [
            instance_row(Instance(f"i{number}", AlarmKey(org.split("/")[0], f"AT-{number}", ConditionKind.HIGH), org,
                                  "safety", 1000 - number, 1, 1, 1))
            for number, org in enumerate(orgs)
        ]  # fmt: skip
        with room.park.connection.begin():
            room.park.connection.execute(sa.insert(ALARM_INSTANCES), rows)

    return write


def test_a_page_of_the_past_is_full_as_long_as_there_is_more_in_the_scope(room, past):
    past(*["works/a"] * 5, "acme/tank", "works/a", "acme", "acmeone/tank", "Acme/tank", "acme/tank/1", "acme/tank")
    li = room.enter("li", "operator", "acme")
    assert [each.id for each in room.alarms.history(li, limit=3)] == ["i5", "i7", "i10"]
    assert [each.id for each in room.alarms.history(li)] == ["i5", "i7", "i10", "i11"]
    chen = room.enter("chen", "operator", "acme/tank")
    assert [each.id for each in room.alarms.history(chen)] == ["i5", "i10", "i11"]
    assert [each.id for each in room.alarms.history(chen, tag="AT-11")] == ["i11"]


def test_the_scope_of_the_past_is_that_of_the_present(room, past):
    orgs = ["a", "a/b", "a/b/c", "a/bc", "a_b", "A/b", "b/a", "a%", "a/"]
    past(*orgs)
    for number, scope in enumerate(["", "a", "a/b", "b", "A"]):
        caller = room.enter(f"p{number}", "viewer", scope)
        seen = {each.org for each in room.alarms.history(caller)}
        assert seen == {org for org in orgs if covers(scope, org)}


def test_no_page_of_the_past_is_longer_than_the_limit_of_all(room, past, wang):
    past(*["acme/tank"] * (HISTORY_MAX + 5))
    assert len(room.alarms.history(wang, limit=10 * HISTORY_MAX)) == HISTORY_MAX
