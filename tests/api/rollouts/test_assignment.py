"""Who is answered by which variant: always the same, split as the shares say, and of one rollout nothing follows for another."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from api.rollouts.assignment import Choice, choose, position
from api.rollouts.state import Arm, Rollout, State, Status
from tests.api.rollouts.traffic import START, begun, policy

UNITS = [f"user {number}" for number in range(20_000)]


def candidates(rollout: Rollout) -> set[str]:
    return {unit for unit in UNITS if choose(rollout, unit).arm == Arm.CANDIDATE}


def test_a_unit_stands_where_it_stood_in_every_process() -> None:
    program = "from api.rollouts.assignment import position; print(position('trial', 'user 7'))"
    elsewhere = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert float(elsewhere) == position("trial", "user 7") == 0.28562497079955274


def test_units_are_spread_evenly() -> None:
    places = [position("trial", unit) for unit in UNITS]
    assert 0 <= min(places) < max(places) < 1
    assert kstest(places, "uniform").pvalue > 0.001


@pytest.mark.parametrize("share", [1, 5, 25, 50, 99.5])
def test_the_split_is_within_the_binomial_band(share: float) -> None:
    taken = len(candidates(begun(policy(kind="ab", share=share))))
    assert binomtest(taken, len(UNITS), share / 100).pvalue > 0.001


def test_a_canary_that_grows_takes_nobody_back() -> None:
    first, second, last = (candidates(begun(policy(stages=[5, 25, 100]), stage)) for stage in range(3))
    assert first < second < last == set(UNITS)


def test_rollouts_are_independent() -> None:
    one, other = (candidates(begun(policy(name, kind="ab"))) for name in ("one", "other"))
    assert binomtest(len(one & other), len(one), 0.5).pvalue > 0.001


def test_a_shadow_is_never_what_is_answered() -> None:
    rollout = begun(policy(kind="shadow", share=20))
    choices = [choose(rollout, unit) for unit in UNITS]
    assert {choice.variant for choice in choices} == {"now"}
    copied = [choice for choice in choices if choice.shadow]
    assert set(copied) == {Choice("now", "trial", "control", "next")}
    assert {choice.experiment for choice in choices if not choice.shadow} == {None}
    assert binomtest(len(copied), len(UNITS), 0.2).pvalue > 0.001


@pytest.mark.parametrize("active", Arm)
def test_a_blue_green_answers_all_by_one(active: Arm) -> None:
    rollout = begun(policy(kind="blue-green"))
    rollout = rollout.model_copy(update={"state": rollout.state.model_copy(update={"active": active})})
    assert {choose(rollout, unit) for unit in UNITS} == {Choice(rollout.variant(active), "trial", active)}


@pytest.mark.parametrize("kind", ["ab", "canary", "shadow", "blue-green"])
@pytest.mark.parametrize(("status", "variant"), [(Status.PROMOTED, "next"), (Status.ROLLED_BACK, "now"), (Status.STOPPED, "now")])
def test_what_has_ended_is_answered_by_one_and_is_no_experiment(kind: str, status: Status, variant: str) -> None:
    rollout = begun(policy(kind=kind)).model_copy(update={"state": State(since=START, status=status, active=Arm.CANDIDATE)})
    assert {choose(rollout, unit) for unit in UNITS[:200]} == {Choice(variant)}


def test_the_hash_differs_in_every_name_and_unit() -> None:
    assert len({position(name, unit) for name in ("a", "b", "a:u") for unit in UNITS[:100]}) == 300
    assert np.corrcoef([[position(name, unit) for unit in UNITS] for name in ("a", "b")])[0, 1] == pytest.approx(0, abs=0.03)
