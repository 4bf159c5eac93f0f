"""What stands of each condition, by the agents that say so: a condition's identity knows no agent, its news do.

Ingest stores what each agent said and tells it again at the start; the book keeps each alarm at the worst of it.
"""

from __future__ import annotations

from aggregator.alarms.policy import AlarmKey, badness, key_of
from contract.events import ConditionData
from contract.ids import AgentName


class Reports:
    """Conditions that are not normal, the newest news of each agent."""

    def __init__(self) -> None:
        self._standing: dict[AlarmKey, dict[AgentName, ConditionData]] = {}

    def take(self, condition: ConditionData) -> ConditionData | None:
        """In place of what this agent said before, which is returned; None where it had nothing standing."""
        standing = self._standing.setdefault(key_of(condition), {})
        before = standing.pop(condition.activation.agent, None)
        if condition.level:
            standing[condition.activation.agent] = condition
        return before

    def has_others(self, condition: ConditionData) -> bool:
        """Whether another agent reports the same condition."""
        return bool(self._standing.get(key_of(condition), {}).keys() - {condition.activation.agent})

    def worst(self, condition: ConditionData, shown: AgentName) -> ConditionData:
        """Of what stands where ``condition`` belongs, or that itself where nothing does; among equals what ``shown``
        says, then whoever comes last in the alphabet, so that a restart changes nothing."""
        standing = self._standing.get(key_of(condition), {})
        return max(
            standing.values(),
            key=lambda said: (badness(said), said.activation.agent == shown, said.activation.agent),
            default=condition,
        )
