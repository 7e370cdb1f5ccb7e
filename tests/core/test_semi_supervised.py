"""A class observed for some data: bounds by enumeration, the classifier's term, its guesses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from small import linear, tensor
from torch import Tensor, nn

import elbowroom as er
from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.evaluate.classification import accuracy, predict
from elbowroom.gradients.cubature import Cubature
from elbowroom.nets import Joined, OneHot
from elbowroom.objectives.classification import Classification
from elbowroom.objectives.penalties import Penalised
from elbowroom.posteriors.per_datum import PerDatum
from elbowroom.recipes.semi_supervised import m2
from elbowroom.shapes import as_scope
from oracles.linear_gaussian import Array, LinearGaussian, random_model

CLASSES, DIM, SIZE, COUNT = 3, 2, 4, 6
EXACT = {"label": er.Enumerate(), "z": Cubature()}
STEP = torch.zeros(())


def truth() -> LinearGaussian:
    """``WᵀΨ⁻¹W = I``, so that the exact posterior of z has the covariance ``I/2``: diagonal."""
    p = random_model(SIZE, DIM, seed=0)
    root = np.sqrt(p.noise)[:, None]
    return LinearGaussian(np.linalg.qr(p.weight / root)[0] * root, p.bias, p.noise)


def shift() -> Array:
    """What each class adds to x, ``(K, D)``."""
    return 1.5 * np.random.default_rng(1).normal(size=(CLASSES, SIZE))


def data() -> Array:
    return 2.0 * np.random.default_rng(2).normal(size=(COUNT, SIZE))


def log_joint() -> Array:
    """``log p(x, y)``, ``(N, K)``: linear-Gaussian once the class is known."""
    log_p = [truth().log_evidence(data() - one) for one in shift()]
    return np.stack(log_p, 1) - np.log(CLASSES)


def reading(weight: Array, table: Array, bias: Array) -> nn.Module:
    """The network ``W v + table[y] + b`` of a vector and a class."""
    net = linear(np.concatenate([weight, table.T], 1), bias)
    return Joined(net, [nn.Identity(), OneHot(nn.Identity(), [CLASSES])])


def model_with(logits: Array, exact: bool = True) -> er.Model:
    """p(x|y,z) linear in both; q(z|x,y) the exact posterior, or a wrong one; q(y|x) by datum."""
    p = truth()
    gain = p.weight.T / p.noise / 2.0
    scale = np.full(DIM, 0.5 * np.log(0.5) if exact else 0.1)
    around = -(shift() + p.bias) @ gain.T * (1.0 if exact else 0.5)
    encoder = reading(
        np.concatenate([gain, np.zeros_like(gain)]),
        np.concatenate([around, np.tile(scale, (CLASSES, 1))], 1),
        np.zeros(2 * DIM),
    )
    family = er.Gaussian(SIZE, scale="entry")
    family.log_scale.data = tensor(0.5 * np.log(p.noise))
    likelihood = er.Conditional(reading(p.weight, shift(), p.bias), family, ("z", "label"))
    label = PerDatum(COUNT, er.CategoricalCodes((), CLASSES))
    label.table.data = tensor(logits)
    sites = {"label": label, "z": er.Conditional(encoder, er.Gaussian(DIM), ("x", "label"))}
    prior = {"label": er.UniformCodes((), CLASSES), "z": er.StandardNormal(DIM)}
    return er.Model(er.Product(prior), likelihood, er.Amortized(er.Product(sites)))


def bound(model: er.Model, **columns: Tensor) -> Tensor:
    batch = {"x": tensor(data()), "index": torch.arange(COUNT), **columns}
    with torch.no_grad():
        return er.ELBO(gradient=EXACT)(model, batch, STEP).metrics["bound"]


@pytest.mark.usefixtures("double")
def test_unlabelled_bound_is_below_the_evidence() -> None:
    """Identity 12-P: ``-U(x) <= log p(x)``, with equality where q is exact."""
    joint = log_joint()
    evidence = tensor(logsumexp(joint, axis=1))
    torch.testing.assert_close(bound(model_with(joint)), evidence)
    assert (bound(model_with(joint, exact=False)) < evidence - 1e-3).all()
    wrong = np.random.default_rng(3).normal(size=joint.shape)
    assert (bound(model_with(wrong)) < evidence - 1e-3).all()


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("exact", [True, False])
def test_a_certain_guess_is_a_label(exact: bool) -> None:
    """Identity 12-P: with q(y|x) one-hot at y, ``-U(x) = -L(x, y)``; no entropy is left."""
    label = torch.arange(COUNT) % CLASSES
    certain = 1e3 * np.eye(CLASSES)[label.numpy()]
    unlabelled = bound(model_with(certain, exact))
    labelled = bound(model_with(np.zeros((COUNT, CLASSES)), exact), label=label)
    torch.testing.assert_close(unlabelled, labelled)
    if exact:
        truth = log_joint()[np.arange(COUNT), label.numpy()]
        torch.testing.assert_close(labelled, tensor(truth))


@pytest.mark.usefixtures("double")
def test_a_mask_says_whose_label_is_seen() -> None:
    model = model_with(np.random.default_rng(4).normal(size=(COUNT, CLASSES)))
    label, seen = torch.arange(COUNT) % CLASSES, torch.arange(COUNT) < 2
    both = bound(model, **{"label": label, "label.mask": seen})
    torch.testing.assert_close(both[:2], bound(model, label=label)[:2])
    torch.testing.assert_close(both[2:], bound(model)[2:])
    hidden = torch.where(seen, label, torch.tensor(-1))
    torch.testing.assert_close(bound(model, **{"label": hidden, "label.mask": seen}), both)


def classifier() -> tuple[er.Model, dict[str, Tensor]]:
    torch.manual_seed(0)
    splits = tiny("pictures")
    return m2(splits.spec, latent_dim=2, hidden=(8,)).model, splits.train.batch(torch.arange(12))


def test_classification_is_the_cross_entropy_of_what_is_observed() -> None:
    model, batch = classifier()
    seen = torch.arange(12) < 5
    found = Classification()(model, {**batch, "label.mask": seen}, STEP)
    features = model.posterior.features["features"](batch["x"][:5])
    logits = model.posterior.joint.sites["label"].net(features)
    truth = nn.functional.cross_entropy(logits, batch["label"][:5])
    torch.testing.assert_close(found.total, truth)
    right = (logits.argmax(1) == batch["label"][:5]).float().mean()
    torch.testing.assert_close(found.metrics["accuracy"], right)
    whole = Classification()(model, batch, STEP)
    assert not torch.allclose(whole.total, truth)


def test_a_batch_without_labels_costs_nothing() -> None:
    model, batch = classifier()
    batch["label.mask"] = torch.zeros(12, dtype=torch.bool)
    loss = Classification()(model, batch, STEP)
    loss.total.backward()
    assert loss.total == 0
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all((g == 0).all() for g in gradients)


def test_penalties_are_added_with_their_weights() -> None:
    model, batch = classifier()
    plain, extra = er.ELBO(gradient={"label": er.Enumerate()}), Classification()
    weights = {"classes": er.Linear(0.0, 4.0, 2)}
    both = Penalised(plain, {"classes": extra, "more": extra}, weights)
    torch.manual_seed(1)
    loss = both(model, batch, torch.tensor(1.0))
    torch.manual_seed(1)
    alone, penalty = plain(model, batch, STEP), extra(model, batch, STEP)
    torch.testing.assert_close(loss.total, alone.total + 3.0 * penalty.total)
    torch.testing.assert_close(loss.metrics["bound"], alone.metrics["bound"])
    torch.testing.assert_close(loss.metrics["classes"], penalty.total.detach())


def test_predictions_do_not_look_at_the_label() -> None:
    model, batch = classifier()
    q = predict(model, batch)
    assert q.shape == (12, 2)
    torch.testing.assert_close(q.sum(1), torch.ones(12, dtype=torch.float64))
    turned = {**batch, "label": 1 - batch["label"]}
    torch.testing.assert_close(predict(model, turned), q)
    shares = [accuracy(model, one).mean for one in (batch, turned)]
    assert sum(shares) == pytest.approx(1.0)
    assert shares[0] == pytest.approx((q.argmax(1) == batch["label"]).double().mean().item())
    some = {**batch, "label": torch.where(torch.arange(12) < 4, batch["label"], -1)}
    assert len(accuracy(model, some).values) == 4


def test_what_is_no_class_of_the_posterior_is_refused() -> None:
    model, batch = classifier()
    with pytest.raises(UserError, match="z is no class"):
        predict(model, batch, "z")
    with pytest.raises(UserError, match="known label"):
        accuracy(model, {**batch, "label": torch.full((12,), -1)})
    with pytest.raises(UserError, match="latent of the posterior"):
        model.posterior.site("y", as_scope(batch))
    with pytest.raises(UserError, match="no label"):
        m2(tiny("table").spec)


def test_features_are_computed_once_for_all_classes() -> None:
    model, batch = classifier()
    calls: list[int] = []
    net = model.posterior.features["features"]
    net.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))
    del batch["label"]
    er.ELBO(gradient={"label": er.Enumerate()})(model, batch, STEP)
    assert calls == [12]
