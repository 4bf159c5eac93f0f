"""The wall clock: steps are told from slewing, and the kernel's own word is passed on."""

from __future__ import annotations

from contract.clock import NS_PER_MS, NS_PER_S, SimulatedClock
from edge_agent.station.clock_state import StepWatch, kernel_clock_state


def test_a_step_is_told_once(clock: SimulatedClock) -> None:
    watch = StepWatch(clock)
    clock.step_wall(-3600 * NS_PER_S)
    assert watch.step_ns() == -3600 * NS_PER_S
    assert watch.step_ns() == 0


def test_slewing_is_no_step(clock: SimulatedClock) -> None:
    watch = StepWatch(clock)
    for _ in range(100):
        clock.tick(NS_PER_S)
        clock.step_wall(50 * NS_PER_MS)
        assert watch.step_ns() == 0


def test_the_kernel_gives_a_bound_only_when_it_is_synchronised() -> None:
    state = kernel_clock_state()
    assert (state.error_ns is not None) is state.synchronised
