"""Of an exact posterior bound and evidence are one number, and no sampling is in it."""

from __future__ import annotations

import pytest
import torch
from toys import LinearGaussian, affine

import elbowroom as er
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.spec import DataSpec
from elbowroom.evaluate.report import evaluate
from elbowroom.posteriors.exact import Exact
from elbowroom.workflow.summary import explanations, headline_keys, title_of

TRUTH = LinearGaussian.random()


def splits() -> Splits:
    train, test = (TRUTH.sample(40, seed) for seed in (1, 2))
    spec = DataSpec("toy", "real", (6,))
    return Splits(Dataset({"x": train}), Dataset({"x": test[:0]}), Dataset({"x": test}), spec)


def exact(factor: float = 1.0) -> er.Model:
    """The true model; its posterior is that of one whose weights are `factor` times as large."""
    weight, bias = torch.from_numpy(TRUTH.weight), torch.from_numpy(TRUTH.bias)
    true, other = (
        er.Conditional(affine(w, bias), er.Gaussian(6, scale=TRUTH.scale), "z")
        for w in (weight, factor * weight)
    )
    posterior = Exact(true if factor == 1.0 else other, 2)
    return er.Model(er.StandardNormal(2), true, posterior).float()


def test_bound_is_evidence_in_closed_form() -> None:
    found = evaluate(exact(), splits(), samples=7, seed=3)
    truth = TRUTH.log_evidence(TRUTH.sample(40, 2)).mean().item()
    taught = TRUTH.log_evidence(TRUTH.sample(40, 1)).mean().item()
    figures = {"elbo": truth, "log_marginal": truth, "train_log_marginal": taught}
    for name, value in figures.items():
        assert found[name]["value"] == pytest.approx(value, abs=1e-4)
        assert found[name]["estimator"] == "exact"
        assert not {"samples", "monte_carlo_error"} & found[name].keys()
    assert "effective_sample_size" not in found
    assert "pareto_k" not in found
    assert found["elbo"]["value"] == pytest.approx(
        found["log_likelihood"]["value"] - found["kl"]["value"]
    )
    assert title_of("elbo", found["elbo"]) == "ELBO, exact"
    said = dict(zip(headline_keys(found), explanations(found)))
    assert "the posterior is the exact one" in said["elbo"]
    assert "importance" not in said["log_marginal"]


def test_an_exact_posterior_of_another_model_is_an_approximation() -> None:
    """Only the numbers say so: here the bound is below the evidence, which is sampled."""
    found = evaluate(exact(factor=1.3), splits(), samples=50)
    assert "estimator" not in found["elbo"]
    assert found["log_marginal"]["samples"] == found["train_log_marginal"]["samples"] == 50
    assert found["effective_sample_size"]["value"] < 50
    assert found["elbo"]["value"] < found["log_marginal"]["value"]
