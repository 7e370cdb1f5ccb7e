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
