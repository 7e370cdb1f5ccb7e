"""What the experiments on gradients measure with, where the whole sum is known."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small import z_score

import elbowroom as er
from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.experiments import EXPERIMENTS
from elbowroom.experiments.base import Bench
from elbowroom.experiments.eight_bits import (
    BIASED,
    Plain,
    bounds,
    data,
    eight_bits,
    estimators,
    every,
    gradients,
    spread,
)
from elbowroom.experiments.running import run
from elbowroom.experiments.slopes import adapt, by_datum, estimate, slopes, variance
from elbowroom.experiments.variance import LECTURE, lecture
from elbowroom.gradients.vimco import VIMCO
from elbowroom.objectives.iwae import IWAE
from elbowroom.random import seeded


def bench(folder: Path, quick: bool = False) -> Bench:
    return Bench(folder, 0, quick, lambda text: None)


def model() -> er.Model:
    with seeded(0):
        return eight_bits()


def test_each_datum_has_its_own_gradient() -> None:
    """Their sum through the encoder's layer is the gradient of the whole batch."""
    made, batch, objective = model(), data(1), er.ELBO(gradient=er.Enumerate())
    own = by_datum(made, objective, batch, 0)
    whole = slopes(made, objective, batch, 1, 0)[0]
    weight, bias = whole.split([32, 8])
    torch.testing.assert_close(own.mean(0), bias)
    outer = torch.einsum("bo,bi->oi", own, batch["x"]) / len(own)
    torch.testing.assert_close(outer.flatten(), weight)


@pytest.mark.usefixtures("double")
def test_an_enumerated_estimate_is_the_derivative() -> None:
    """``d/dl E[(b - t)²] = σ(l) (1 - σ(l)) (1 - 2t)`` for one bit; others in the mean."""
    logits = torch.full((1, 1, 1), 0.4, requires_grad=True)
    mean = logits.sigmoid().item()
    exact = mean * (1 - mean) * (1 - 2 * 0.2)

    def f(b: torch.Tensor) -> torch.Tensor:
        return (b - 0.2).square().sum(-1)

    found = estimate(er.Enumerate(), Bernoulli(logits), logits, f)
    assert found.item() == pytest.approx(exact, rel=1e-10)
    many = torch.full((1, 20_000, 1), 0.4, requires_grad=True)
    for samples, gradient in estimators().values():
        if type(gradient).__name__ in ("REBAR", "MuProp", "ARM", "DisARM"):
            with seeded(1):
                drawn = estimate(gradient.double(), Bernoulli(many), many, f, samples)
            assert drawn.std() < 1e-12 or z_score(drawn.flatten(), exact) < 4
            assert drawn.mean().item() == pytest.approx(exact, abs=0.01)


def test_variance_is_the_trace_of_the_covariance() -> None:
    values = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    assert variance(values) == pytest.approx(torch.cov(values.T).trace().item(), rel=1e-5)


def test_adapting_moves_the_estimator_alone_and_lowers_the_variance() -> None:
    made, (samples, nvil) = model(), estimators()["NVIL"]
    before = [p.clone() for p in made.parameters()]
    objective = er.ELBO(samples, nvil)
    raw = spread(gradients(made, objective, 1000, 1))
    adapt(made, objective, data(20), 200, 0.02, 0)
    assert spread(gradients(made, objective, 1000, 1)) < 0.2 * raw
    assert all(p.equal(q) for p, q in zip(made.parameters(), before))


def test_the_parent_of_vimco_has_its_mean() -> None:
    """Without a leave-one-out signal the gradient is the same, at many times the variance."""
    made = model()
    plain = gradients(made, Plain(4, er.ScoreFunction()), 5000, 1).double()
    child = gradients(made, IWAE(4, VIMCO()), 5000, 2).double()
    apart = plain.mean(0) - child.mean(0)
    error = (plain.var(0) / len(plain) + child.var(0) / len(child)).sqrt()
    assert (apart / error).abs().max() < 4
    assert spread(plain) > 5 * spread(child)


def test_every_child_varies_less_than_its_parent(tmp_path: Path) -> None:
    """Bar: DReG, STL and VIMCO; REBAR and RELAX beside the score function of the same cost."""
    for parent, child in bounds(bench(tmp_path)).values():
        assert child < 0.5 * parent
    found = every(bench(tmp_path))
    assert max(found[name].variance for name in ("REBAR", "RELAX")) < (
        0.1 * found["score function"].variance
    )
    for name, one in found.items():
        assert (one.z > 4) == (name in BIASED), name


def test_the_lecture_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(LECTURE, 100_000)
    made = bench(tmp_path)
    score, path = lecture(made)
    assert all(row.met for row in made.rows)
    assert len(made.rows) == 2 * len(score) == 2 * len(path) == 8


def test_the_experiment_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for count in (1000, 10_000, 100_000):
        monkeypatch.delitem(LECTURE, count)
    made = run(EXPERIMENTS, "gradient-variance", tmp_path, quick=True, say=lambda text: None)
    assert {row.met for row in made.rows} == {None}
    assert (tmp_path / "variances.png").exists()
