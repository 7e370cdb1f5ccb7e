"""Coherence of modalities, for models whose coherence is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.evaluate.coherence import (
    cross_coherence,
    joint_coherence,
    latent_accuracy,
    picked,
    translate,
)
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.posteriors.experts import MixtureOfExperts
from elbowroom.random import seeded


def times(factor: float, log_scale: float | None = None) -> nn.Module:
    """``x -> factor · x``, and a constant log scale beside it."""
    net = nn.Linear(1, 1 if log_scale is None else 2)
    with torch.no_grad():
        net.weight.zero_()
        net.bias.zero_()
        net.weight[0, 0] = factor
        if log_scale is not None:
            net.bias[1] = log_scale
    return net


def shared(noise: float = 0.01) -> er.Model:
    """``a = 4 z`` and ``b = -4 z``: signs tell the class, and they are opposite."""
    factors = {"a": 4.0, "b": -4.0}
    parts = {
        n: er.Conditional(times(f), er.Gaussian(1, scale=noise), "z") for n, f in factors.items()
    }
    experts = {
        n: er.Conditional(times(1 / f, math.log(0.01)), er.Gaussian(1), n)
        for n, f in factors.items()
    }
    return er.Model(er.StandardNormal(1), er.Product(parts), MixtureOfExperts(experts))


def apart() -> er.Model:
    """Two modalities, each of a latent of its own."""
    latents = {"a": "u", "b": "v"}
    prior = er.Product({latent: er.StandardNormal(1) for latent in latents.values()})
    parts = {
        n: er.Conditional(times(4.0), er.Gaussian(1, scale=0.1), latent)
        for n, latent in latents.items()
    }
    q = {v: er.Conditional(times(0.25, -3.0), er.Gaussian(1), n) for n, v in latents.items()}
    return er.Model(prior, er.Product(parts), er.Amortized(er.Product(q)))


JUDGES = {"a": lambda x: (x[:, 0] > 0).long(), "b": lambda x: (x[:, 0] < 0).long()}


def data(count: int = 300) -> dict[str, Tensor]:
    z = torch.randn(count, 1, generator=torch.Generator().manual_seed(0))
    z = z + 0.2 * z.sign()
    return {"a": 4 * z, "b": -4 * z, "label": (z[:, 0] > 0).long()}


def test_a_shared_latent_is_coherent() -> None:
    model, test = shared(), data()
    for source, target in (("a", "b"), ("b", "a"), ("a", "a")):
        found = cross_coherence(model, test, JUDGES[target], source, target)
        assert found.mean == 1.0
        assert len(found.values) == 300
    assert joint_coherence(model, JUDGES, 2500).mean == 1.0
    assert len(joint_coherence(model, JUDGES, 2500).values) == 2500
    assert latent_accuracy(model, data(), test, "a").mean > 0.99
    wrong = {**test, "label": 1 - test["label"]}
    assert cross_coherence(model, wrong, JUDGES["b"], ["a"], "b").mean == 0.0


def test_latents_apart_are_coherent_by_chance() -> None:
    judges = {"a": JUDGES["a"], "b": JUDGES["a"]}
    found = joint_coherence(apart(), judges, 4000)
    assert abs(found.mean - 0.5) < 4 * found.standard_error


def test_only_the_source_is_looked_at() -> None:
    model, test = shared(), data(4)
    nonsense = {**test, "b": torch.full((4, 1), math.nan)}
    for batch in (test, nonsense, {"a": test["a"]}):
        written = translate(model, batch, ["a"], seed=3)
        assert set(written) == {"a", "b"}
        torch.testing.assert_close(written["b"], test["b"], atol=0.2, rtol=0)
    with pytest.raises(UserError, match="'c' is not a modality"):
        translate(model, test, ["c"])


def test_one_particle_is_picked_by_the_measure() -> None:
    """Of two experts at opposite places each is picked half the time, an absent one never."""
    model, count = shared(), 4000
    batch = {"a": torch.full((count, 1), 4.0), "b": torch.full((count, 1), 4.0)}
    with seeded(0):
        z = picked(model.draw(batch, 3, Pathwise()))["z"]
        masked = model.draw(
            {**batch, "b.mask": torch.zeros(count, dtype=torch.bool)}, 3, Pathwise()
        )
        alone = picked(masked)["z"]
    assert z.shape == (1, count, 1)
    share = (z > 0).double().mean().item()
    assert abs(share - 0.5) < 4 * 0.5 / count**0.5
    assert (alone > 0).all()


def test_a_model_without_prior_has_no_joint_coherence() -> None:
    model = shared()
    bare = er.Model(None, model.likelihood, model.posterior)
    with pytest.raises(UserError, match="no prior"):
        joint_coherence(bare, JUDGES, 10)
