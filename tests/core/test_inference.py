"""How a posterior is fitted: alternating, per datum, and what cannot be had."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small import linear_likelihood, tensor
from torch import Tensor
from ways import EVERY, bits

import elbowroom as er
from elbowroom.data.dataset import Dataset
from elbowroom.data.synthetic import linear_gaussian
from elbowroom.errors import UserError
from elbowroom.gradients.cubature import Cubature
from elbowroom.inference import (
    AlternatingInference,
    JointInference,
    NaiveMonteCarloInference,
    PerDatumInference,
    ReweightedWakeSleepInference,
    WakeSleepInference,
)
from elbowroom.inference.kinds import KINDS, inference_of
from elbowroom.objectives.reweighted_wake_sleep import ReweightedWakeSleep
from elbowroom.objectives.wake_sleep import WakeSleep
from elbowroom.posteriors.hamiltonian import Hamiltonian
from elbowroom.posteriors.langevin import Langevin
from elbowroom.posteriors.semi_amortised import SemiAmortised
from oracles.linear_gaussian import ppca_optimum, random_model, sample

COUNT = 300


def linear_vae() -> er.Model:
    """A linear VAE with one noise for all entries: probabilistic PCA at its best."""
    torch.manual_seed(0)
    return er.Model(
        er.StandardNormal(2),
        er.Conditional(er.nets.MLP(2, [], 5), er.Gaussian(5, scale="shared"), "z"),
        er.Conditional(er.nets.MLP(5, [], 4), er.Gaussian(2), "x"),
    )


def state_of(model: er.Model) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def differ(before: dict[str, Tensor], model: er.Model, part: str) -> bool:
    after = model.state_dict()
    return any(not torch.equal(v, after[k]) for k, v in before.items() if k.startswith(part))


def test_joint_is_what_happens_anyway() -> None:
    found = []
    for inference in (None, JointInference()):
        model, objective, data = bits()
        er.fit(model, data, objective, steps=5, batch_size=16, inference=inference)
        found.append(model.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(found[0].values(), found[1].values()))


class Moves:
    """Notes at every step which half moved, and on which rows."""

    def __init__(self) -> None:
        self.halves: list[str] = []

    def on_fit_start(self, loop: Any) -> None:
        self.before = state_of(loop.state.model)

    def on_train_batch_end(self, loop: Any, metrics: Any) -> None:
        model = loop.state.model
        parts = {"q": "posterior", "p": "likelihood"}
        self.halves.append("".join(k for k, v in parts.items() if differ(self.before, model, v)))
        self.before = state_of(model)


@pytest.mark.parametrize("inference", [AlternatingInference(3, 2), PerDatumInference(inner=2)])
def test_halves_take_turns(inference: Any) -> None:
    model, objective, data = bits()
    moves = Moves()
    er.fit(model, data, objective, steps=10, inference=inference, callbacks=[moves])
    cycle = (
        ["q"] * 3 + ["p"] * 2 if isinstance(inference, AlternatingInference) else ["q", "q", "p"]
    )
    assert moves.halves == (cycle * 4)[:10]


def test_a_batch_is_held() -> None:
    rows: list[list[int]] = []

    class Watched(Dataset):
        def batch(self, index: Tensor) -> dict[str, Tensor]:
            rows.append(index.tolist())
            return super().batch(index)

        def to(self, device: Any) -> Dataset:
            return self

    for inference in (None, AlternatingInference(2, 1, same_batch=True)):
        model, objective, data = bits()
        er.fit(model, Watched(data), objective, steps=6, batch_size=10, inference=inference)
        rows.append([])
    each, held = rows[1:7], rows[-7:-1]  # the first look is the dry run's
    assert [each[0]] * 3 + [each[1]] * 3 == held


def test_alternating_and_joint_reach_the_same_bound() -> None:
    """Identity 2-G: within 0.5 % of each other on data of pPCA, and of its maximum likelihood."""
    x = linear_gaussian(500, 5, 2, seed=1).x
    best, reached = ppca_optimum(x.numpy(), 2).log_likelihood, []
    data, objective = {"x": x.float()}, er.ELBO(gradient=Cubature())
    for inference, steps in ((JointInference(), 500), (AlternatingInference(5, 5), 1000)):
        model, rate = linear_vae(), er.Cosine(0.05, 5e-4, steps)
        settings = {"steps": steps, "batch_size": 250, "learning_rate": rate}
        er.fit(model, data, objective, inference=inference, **settings)
        with torch.no_grad():
            reached.append(
                objective(model, data, torch.tensor(0.0)).metrics["bound"].mean().item()
            )
    assert abs(reached[0] - reached[1]) < 0.005 * abs(reached[0])
    assert all(abs(value - best) < 0.005 * abs(best) for value in reached)
    assert all(value < best + 1e-3 for value in reached)


def test_every_datum_gets_the_best_diagonal_posterior() -> None:
    """``q_n = N(m_n, diag 1/Λ_ii)`` with the exact posterior's mean m_n and precision Λ."""
    plain = random_model(6, 2, seed=3)
    entangled = 0.5 * (plain.weight + 2.0 * plain.weight[:, :1])
    truth = replace(plain, weight=entangled)
    x = sample(truth, 30, seed=4)
    torch.manual_seed(0)
    model = er.Model(
        er.StandardNormal(2),
        linear_likelihood(truth),
        er.Conditional(er.nets.MLP(6, [8], 4), er.Gaussian(2), "x"),
    )
    for p in model.likelihood.parameters():
        p.requires_grad_(False)
    rate = er.Cosine(0.05, 1e-4, 800)
    settings = {"steps": 800, "batch_size": 30, "learning_rate": rate}
    er.fit(
        model,
        tensor(x),
        er.ELBO(gradient=Cubature()),
        inference=PerDatumInference("zeros"),
        optimizer_options={"betas": (0.9, 0.99)},
        **settings,
    )
    mean, covariance = truth.posterior(x)
    q = model.draw({"x": tensor(x), "index": torch.arange(30)}, 1, er.Pathwise()).sites["z"].q
    assert q is not None
    variance = 1.0 / np.diag(np.linalg.inv(covariance))
    np.testing.assert_allclose(q.mean[0].detach(), mean, atol=2e-3)
    np.testing.assert_allclose(q.variance[0].detach(), np.tile(variance, (30, 1)), rtol=2e-3)
    assert (variance < 0.8 * np.diag(covariance)).all()  # which are not the marginals'


def test_the_table_begins_with_what_the_encoder_says() -> None:
    model, objective, data = bits()
    with torch.no_grad():
        told = model.draw(data, 1, er.Pathwise()).sites["z"].q
    made = PerDatumInference().prepare(model, objective, Dataset(data), er.Settings())
    assert made.model is model
    kept = model.draw({**data, "index": torch.arange(40)}, 1, er.Pathwise()).sites["z"].q
    assert told is not None
    assert kept is not None
    torch.testing.assert_close(told.mean, kept.mean)
    torch.testing.assert_close(told.variance, kept.variance)
    model, objective, data = bits()
    PerDatumInference("zeros").prepare(model, objective, Dataset(data), er.Settings())
    assert not model.posterior.joint.sites["z"].table.any()


def test_tables_of_several_latents() -> None:
    """A latent that was drawn from another has its own table, which begins at zero."""
    torch.manual_seed(0)
    first = er.Conditional(er.nets.MLP(6, [], 4), er.Gaussian(2), "x")
    second = er.Conditional(er.nets.MLP(2, [], 2), er.Gaussian(1), "u")
    below = er.Conditional(er.nets.MLP(1, [], 4), er.Gaussian(2), "v")
    model = er.Model(
        er.Product({"v": er.StandardNormal(1), "u": below}),
        er.Conditional(er.nets.MLP(2, [], 6), er.Bernoulli(6), "u"),
        er.Amortized(er.Product({"u": first, "v": second})),
    )
    data = bits()[2]
    history = er.fit(model, data, er.ELBO(), steps=4, batch_size=40, inference=PerDatumInference())
    tables = {k: v.table for k, v in model.posterior.joint.sites.items()}
    assert {k: tuple(v.shape) for k, v in tables.items()} == {"u": (40, 4), "v": (40, 2)}
    assert tables["v"].abs().max() < 0.01 < tables["u"].abs().max()
    assert history.rows[-1]["step"] == 4


@pytest.mark.parametrize("inference", EVERY[1:], ids=lambda i: type(i).__name__)
def test_a_run_is_recorded_and_goes_on(inference: Any, tmp_path: Path) -> None:
    """What is written is what came of it: a resumed run is the run that was never stopped."""
    whole = bits()
    er.fit(whole[0], whole[2], whole[1], steps=8, inference=inference)
    model, objective, data = bits()
    er.fit(model, data, objective, steps=5, inference=inference, out=tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert "inference" not in config
    again, _ = er.resume(tmp_path / "run", data, steps=8)
    for name, value in whole[0].state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)


def test_objectives_are_exchanged() -> None:
    model, objective, data = bits()
    rows = Dataset(data)
    made = WakeSleepInference(3).prepare(model, objective, rows, er.Settings())
    assert isinstance(made.objective, WakeSleep)
    assert made.objective.samples == 3
    made = ReweightedWakeSleepInference(4, "wake").prepare(model, objective, rows, er.Settings())
    assert isinstance(made.objective, ReweightedWakeSleep)
    assert made.objective.recognition == "wake"
    for given, asked, found in (
        (er.IWAE(20), None, 20),
        (er.IWAE(20), 3, 3),
        (objective, None, 5),
    ):
        made = ReweightedWakeSleepInference(asked).prepare(model, given, rows, er.Settings())
        assert made.objective.samples == found
    made = WakeSleepInference().prepare(model, er.ELBO(4), rows, er.Settings())
    assert made.objective.samples == 4
    made = NaiveMonteCarloInference(9).prepare(model, objective, rows, er.Settings())
    assert isinstance(made.objective, er.IWAE)
    assert made.objective.samples == 9


def test_encoders_are_refined() -> None:
    kinds = {SemiAmortised: EVERY[6], Hamiltonian: EVERY[7], Langevin: EVERY[8]}
    for cls, inference in kinds.items():
        model, objective, data = bits()
        encoder = model.posterior
        made = inference.prepare(model, objective, Dataset(data), er.Settings())
        assert isinstance(made.model.posterior, cls)
        assert made.model.posterior.posterior is encoder
        assert made.model.posterior.steps == 2
        assert made.objective is objective


def test_names_of_a_configuration() -> None:
    for name in KINDS:
        assert inference_of(name) == inference_of({"type": KINDS[name].type})
    nested = {
        "type": "alternating",
        "expectation": 4,
        "posterior": {"type": "per_datum_inference"},
    }
    assert inference_of(nested) == AlternatingInference(4, posterior=PerDatumInference())
    with pytest.raises(UserError, match=r"Did you mean 'per-datum'.*wake-sleep \(two losses"):
        inference_of("perdatum")
    with pytest.raises(UserError, match=r"no way of inference.*Did you mean 'amortised'"):
        inference_of("amortized")  # a posterior's name
    for other in ("elbo", "standard_normal"):
        with pytest.raises(UserError, match="no way of inference"):
            inference_of({"type": other})
    for wrong in ({"type": "per-datum", "inner": 0}, {"type": "alternating", "expectation": 0}):
        with pytest.raises(UserError, match="at least 1"):
            inference_of(wrong)
    with pytest.raises(UserError, match="start"):
        inference_of({"type": "per-datum", "start": "noise"})
    with pytest.raises(UserError, match="recognition"):
        inference_of({"type": "reweighted-wake-sleep", "recognition": "dreaming"})
