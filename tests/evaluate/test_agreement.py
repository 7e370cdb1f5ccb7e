"""What annealing says of itself is so: the truth is known here."""

from __future__ import annotations

import pytest
import torch
from toys import LinearGaussian

from elbowroom.evaluate.agreement import verdict
from elbowroom.evaluate.ais import Annealed, annealed_log_marginal
from elbowroom.evaluate.annealing import Annealing

TRUTH = LinearGaussian.random()
X = TRUTH.sample(12)


def annealed(distributions: int, chains: int) -> tuple[str, float]:
    """Return the verdict, and by how much the mean really is low."""
    settings = Annealing(distributions, chains, leaps=3, pilot=20)
    found = annealed_log_marginal(TRUTH.model(), X, settings)
    return verdict(found), (TRUTH.log_evidence(X) - found.values).mean().item()


def test_many_small_steps_agree_and_are_right() -> None:
    said, low = annealed(200, 16)
    assert said.startswith("chains agree: ")
    assert "bdmc" in said
    claimed = float(said.split("low by about ")[1].split()[0])
    assert abs(low - claimed) < 0.1


def test_few_large_steps_are_not_trusted_and_are_wrong() -> None:
    said, low = annealed(2, 16)
    assert said.startswith("not to be trusted: of ")
    assert "more --distributions (now 2), then more --samples (now 16)" in said
    assert low > 0.3


def test_a_few_data_that_are_far_off_are_counted_and_left_out() -> None:
    """Of 40 data one lies far outside: its chains do not arrive, and the mean is off with it."""
    x = torch.cat([TRUTH.sample(39), 600.0 + TRUTH.sample(1)])
    settings = Annealing(150, 8, leaps=3, pilot=20)
    found = annealed_log_marginal(TRUTH.model(), x, settings)
    low = TRUTH.log_evidence(x) - found.values
    said = verdict(found)
    assert low.mean() > 1.0
    assert said.startswith("the mean is not to be trusted: of 1 of 40 data")
    others = float(said.split("it is ")[1].split(",")[0])
    assert others == pytest.approx(TRUTH.log_evidence(x)[:-1].mean().item(), abs=0.2)


@pytest.mark.parametrize(
    ("chains", "acceptance", "words"),
    [(1, 0.65, "one chain per datum"), (16, 0.2, "20% of the transitions are accepted")],
)
def test_other_reasons(chains: int, acceptance: float, words: str) -> None:
    even = torch.full((5,), float(chains))
    nothing, accepted = torch.zeros(5), torch.full((5,), acceptance)
    found = Annealed(nothing, chains, even, nothing, acceptance=accepted, settings=Annealing())
    assert words in verdict(found)
    assert "--samples (now 1)" in verdict(found) or "--distributions (now 1000)" in verdict(found)
