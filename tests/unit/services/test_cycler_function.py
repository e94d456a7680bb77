"""The one function that a queue server offers of a cycler, with a real RunEngine and device."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from run_engine import Bench, bench

from lithoscope_services.beamline.cycler_function import CyclerFunction

CURRENT_MA = 0.5


@pytest.fixture
def made(tmp_path: Path) -> Bench:
    return bench(tmp_path)


@pytest.fixture
def ask(made: Bench) -> CyclerFunction:
    run = in_loop(made)
    run(setting(made, CURRENT_MA))
    return CyclerFunction(made.beamline.cycler, run)


def in_loop(made: Bench) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, made.engine.loop).result(10)

    return run


async def setting(made: Bench, current_mA: float) -> None:  # noqa: N803 - the unit is mA
    await made.beamline.cycler.set(current_mA)


def test_a_hold_takes_the_current_away_and_carries_its_correlation_id(
    ask: CyclerFunction,
) -> None:
    answer = ask("hold", "id-1", "gap small")

    assert (answer["is_done"], answer["state"], answer["current_mA"]) == (True, "held", 0.0)
    assert answer["held_because"] == "gap small [id-1]"


def test_a_look_changes_nothing(ask: CyclerFunction) -> None:
    answer = ask("look", "id-1")

    assert answer["is_known"] is False
    assert answer["since_ns"] > 0


def test_what_was_done_is_found_again_and_not_done_again(ask: CyclerFunction, made: Bench) -> None:
    ask("lower_current", "id-1", current_share=0.5)
    again = ask("lower_current", "id-1", current_share=0.5)
    looked = ask("look", "id-1")

    assert again["current_mA"] == looked["current_mA"] == pytest.approx(CURRENT_MA / 2)
    assert looked["is_known"] is True
    assert looked["is_done"] is True


@pytest.mark.parametrize("share", [1.0, 1.5, -0.5, None, float("nan")])
def test_a_current_that_is_not_lower_is_refused(ask: CyclerFunction, share: float | None) -> None:
    answer = ask("lower_current", "id-1", current_share=share)

    assert answer["is_done"] is False
    assert "current_share" in answer["error"]
    assert ask("hold", "id-2")["is_done"] is True


@pytest.mark.parametrize("function", ["release", "set", "resume", "__class__", ""])
def test_nothing_else_can_be_asked_for(ask: CyclerFunction, function: str) -> None:
    answer = ask(function, "id-1")

    assert answer["is_done"] is False
    assert "may not be asked for" in answer["error"]


def test_a_hold_that_a_person_has_released_is_no_longer_in_force(
    ask: CyclerFunction, made: Bench
) -> None:
    ask("hold", "id-1")
    run = in_loop(made)
    run(made.beamline.cycler.release("Ada"))
    run(setting(made, CURRENT_MA))

    assert ask("look", "id-1")["is_done"] is False
