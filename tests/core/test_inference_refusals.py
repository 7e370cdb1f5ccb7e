"""Ways of inference that cannot be had: said in words, before anything is changed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from small import linear_likelihood
from ways import EVERY, bits

import elbowroom as er
from elbowroom.data.dataset import Dataset
from elbowroom.data.stream import StreamDataset
from elbowroom.errors import UserError
from elbowroom.gradients.disarm import DisARM
from elbowroom.gradients.pathwise import StickingTheLanding
from elbowroom.gradients.relaxed import GumbelSoftmax
from elbowroom.inference import (
    AlternatingInference,
    HamiltonianInference,
    JointInference,
    LangevinInference,
    NaiveMonteCarloInference,
    PerDatumInference,
    ReweightedWakeSleepInference,
    SemiAmortisedInference,
    WakeSleepInference,
)
from elbowroom.inference.held_out import know
from elbowroom.objectives.em import ExpectationMaximisation
from elbowroom.objectives.renyi import Renyi
from elbowroom.objectives.wake_sleep import WakeSleep
from elbowroom.posteriors.exact import Exact
from elbowroom.posteriors.per_datum import PerDatum, keeps_rows
from oracles.linear_gaussian import random_model

LOST: list[tuple[Any, str]] = [
    (er.ELBO(beta=4.0), "take the plain ELBO, with beta=1"),
    (er.ELBO(beta=er.Linear(0.0, 1.0, 10)), "warmup=0"),
    (er.ELBO(beta={"z": er.Linear(0.0, 1.0, 10)}), "warmup=0"),
    (er.ELBO(rule=er.FreeBits(0.1)), "FreeBits"),
    (er.IWAE(2, weights={"x": 2.0}), "the weights of this IWAE"),
    (Renyi(0.5), "needs to be the ELBO or IWAE, not Renyi"),
]


@pytest.mark.parametrize("inference", EVERY[6:], ids=lambda i: type(i).__name__)
def test_what_has_no_gradient_is_not_refined(inference: Any) -> None:
    """And the model that was handed in keeps its posterior."""
    model = er.Model(
        er.Learned(er.Bernoulli(2)),
        er.Conditional(er.nets.MLP(2, [], 6), er.Bernoulli(6), "z"),
        er.Conditional(er.nets.MLP(6, [], 2), er.Bernoulli(2), "x"),
    )
    before = model.posterior
    assert "discrete" in refused(inference, er.ELBO(gradient=er.ScoreFunction()), model)
    assert model.posterior is before
    plain = er.Model(None, model.likelihood, model.posterior)
    assert "no prior" in refused(inference, model=plain)


@pytest.mark.parametrize("inference", EVERY, ids=lambda i: type(i).__name__)
def test_a_model_without_latents_is_refused(inference: Any) -> None:
    model = er.Model(None, er.Product({"x": er.Learned(er.Bernoulli(6))}), None)
    data = {"x": torch.ones(8, 6)}
    with pytest.raises(UserError, match="no latents"):
        er.fit(model, data, er.ELBO(), steps=1, inference=inference)


def refused(inference: Any, objective: Any = None, model: Any = None, data: Any = None) -> str:
    plain, elbo, x = bits()
    with pytest.raises(UserError) as error:
        er.fit(model or plain, data or Dataset(x), objective or elbo, steps=1, inference=inference)
    return str(error.value)


def test_data_that_have_no_rows_of_their_own_are_refused() -> None:
    array = np.zeros((20, 6), np.uint8)
    stream = StreamDataset(array, np.arange(20), (6,))
    assert "streamed" in refused(PerDatumInference(), data=stream)
    grey = Dataset({"x": torch.randint(0, 256, (20, 6))}, binarize="dynamic")
    assert "binarize=static" in refused(PerDatumInference(), data=grey)


def test_models_and_objectives_that_do_not_fit_are_refused() -> None:
    truth = random_model(6, 2, seed=3)
    likelihood = linear_likelihood(truth)
    exact = er.Model(er.StandardNormal(2), likelihood, Exact(likelihood, 2))
    assert "share parameters" in refused(AlternatingInference(), model=exact)
    assert "share parameters" in refused(PerDatumInference(), model=exact)
    encoder = er.Conditional(er.nets.MLP(6, [], 4), er.Gaussian(2), "x")
    vamp = er.Model(er.VampPrior(encoder, 6, 3), likelihood, encoder)
    assert "share parameters" in refused(PerDatumInference(), model=vamp)
    quantized = er.Quantized(er.nets.MLP(6, [], 6), codes=5, dim=3)
    model = er.Model(
        er.UniformCodes(2, 5, quantized),
        er.Conditional(er.nets.MLP(6, [], 6), er.Bernoulli(6), "z"),
        quantized,
    )
    assert "Quantized" in refused(PerDatumInference(), model=model) or "share" in refused(
        PerDatumInference(), model=model
    )
    table = er.Model(er.StandardNormal(2), likelihood, PerDatum(40, er.Gaussian(2)))
    assert "table" in refused(WakeSleepInference(), model=table)
    assert "not an encoder" in refused(PerDatumInference(), model=table)
    assert "dreams" in refused(PerDatumInference(), WakeSleep())
    assert "formula" in refused(AlternatingInference(), ExpectationMaximisation(er.Pathwise()))
    whole = bits()[0]
    before = whole.posterior
    turns = AlternatingInference(posterior=PerDatumInference(inner=2))
    assert "takes turns by itself" in refused(turns, model=whole)
    assert whole.posterior is before
    for inference in EVERY[3:6]:
        for objective, words in LOST:
            said = refused(inference, objective)
            assert "replaces the objective" in said
            assert words in said
    frozen = bits()[0]
    for p in frozen.likelihood.parameters():
        p.requires_grad_(False)
    assert "generator has no parameters" in refused(AlternatingInference(), model=frozen)


def test_settings_that_inference_sets_are_refused() -> None:
    model, objective, data = bits()
    turns, players = {"posterior": 2, "generator": 1}, {"model": model.parameters()}
    with pytest.raises(UserError, match="leave them out"):
        er.fit(model, data, objective, steps=1, turns=turns, inference=AlternatingInference())
    with pytest.raises(UserError, match="not both"):
        er.fit(model, data, objective, steps=1, players=players, inference=JointInference())
    assert not keeps_rows(model)


def labelled() -> er.Model:
    """M2 by hand: a class that may be known, and a style."""
    joint = er.Product(
        {
            "y": er.Conditional(er.nets.MLP(6, [], 3), er.Categorical(3), "x"),
            "z": er.Conditional(er.nets.MLP(6, [], 4), er.Gaussian(2), "x"),
        }
    )
    prior = er.Product({"y": er.Learned(er.Categorical(3)), "z": er.StandardNormal(2)})
    likelihood = er.Conditional(er.nets.MLP(5, [], 6), er.Bernoulli(6), ("z", "y"))
    return er.Model(prior, likelihood, er.Amortized(joint))


def known_labels() -> Dataset:
    x = bits()[2]["x"]
    return Dataset({"x": x, "y": torch.eye(3)[torch.arange(len(x)) % 3]})


def test_a_label_has_no_table() -> None:
    """Where it is known a table of it would never learn, and where it is hidden it would be 0."""
    model = labelled()
    before, data = model.posterior, known_labels()
    said = refused(PerDatumInference(), model=model, data=data)
    assert "the data hold y" in said
    assert "take inference joint" in said
    assert model.posterior is before
    tables = {"y": PerDatum(40, er.Categorical(3)), "z": PerDatum(40, er.Gaussian(2))}
    model.posterior = er.Amortized(er.Product(tables))
    with pytest.raises(UserError, match="the data hold y"):
        know(model, data)


@pytest.mark.parametrize("inference", EVERY[6:], ids=lambda i: type(i).__name__)
def test_a_label_is_not_refined(inference: Any) -> None:
    """It is known where models are trained, and hidden where they are judged."""
    model = labelled()
    before = model.posterior
    said = refused(inference, er.ELBO(gradient={"y": er.Enumerate()}), model, known_labels())
    assert "y is discrete" in said
    assert model.posterior is before


def bit_model() -> er.Model:
    """A latent of bits, which no gradient flows through."""
    torch.manual_seed(0)
    return er.Model(
        er.Learned(er.Bernoulli(2)),
        er.Conditional(er.nets.MLP(2, [], 6), er.Bernoulli(6), "z"),
        er.Conditional(er.nets.MLP(6, [], 2), er.Bernoulli(2), "x"),
    )


@pytest.mark.parametrize("by_site", [False, True])
def test_naive_monte_carlo_takes_the_baseline_away(by_site: bool) -> None:
    """The ELBO's leave-one-out is biased under IWAE, which leaves one out by itself."""
    scored = er.ScoreFunction(er.LeaveOneOut())
    objective = er.ELBO(4, {"z": scored} if by_site else scored)
    data, settings = Dataset(bits()[2]), er.Settings()
    made = NaiveMonteCarloInference(6).prepare(bit_model(), objective, data, settings)
    found = made.objective.gradient["z"] if by_site else made.objective.gradient  # type: ignore[union-attr]
    assert isinstance(found, er.ScoreFunction)
    assert found.baseline is None
    er.fit(bit_model(), data, objective, steps=2, inference=NaiveMonteCarloInference(6))


@pytest.mark.parametrize(
    ("gradient", "words"),
    [
        (DisARM(), "take ScoreFunction()"),
        (er.Pathwise(), "ScoreFunction()"),
        (StickingTheLanding(), "DoublyReparameterised()"),
        (GumbelSoftmax(), "relaxed"),
    ],
    ids=lambda g: type(g).__name__ if isinstance(g, er.Pathwise) else None,
)
def test_gradients_of_the_elbo_alone_are_refused(gradient: Any, words: str) -> None:
    model = bit_model()
    before = model.posterior
    said = refused(NaiveMonteCarloInference(3), er.ELBO(2, gradient), model)
    assert words in said
    assert model.posterior is before


def test_codes_are_not_drawn_from_the_prior() -> None:
    quantized = er.Quantized(er.nets.MLP(6, [], 6), codes=5, dim=3)
    likelihood = er.Conditional(er.nets.MLP(3, [], 6), er.Bernoulli(6), "z")
    model = er.Model(er.UniformCodes((), 5, quantized), likelihood, quantized)
    assert "quantised" in refused(NaiveMonteCarloInference(3), model=model)
    assert model.posterior is quantized


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (kind, {name: value})
        for kind, names in {
            HamiltonianInference: ("step_size", "steps"),
            LangevinInference: ("step_size", "steps"),
            SemiAmortisedInference: ("rate", "momentum", "clip", "samples", "steps"),
            WakeSleepInference: ("samples",),
            ReweightedWakeSleepInference: ("samples",),
            NaiveMonteCarloInference: ("samples",),
            AlternatingInference: ("expectation", "maximisation"),
            PerDatumInference: ("inner",),
        }.items()
        for name in names
        for value in (math.nan, math.inf, True, -1)
    ],
)
def test_arguments_are_numbers_in_range(kind: Any, arguments: dict[str, Any]) -> None:
    (name,) = arguments
    with pytest.raises(UserError, match=f"^{name}="):
        kind(**arguments)
    wrapper = getattr(kind, "wrapper", None)
    if wrapper is not None:
        with pytest.raises(UserError, match=f"^{name}="):
            wrapper(bit_model().posterior, **arguments)


def test_what_has_no_path_does_not_stick_to_the_landing() -> None:
    q = er.Bernoulli(2)(torch.zeros(1, 2), torch.Size((1, 1)))
    with pytest.raises(UserError, match="no differentiable samples"):
        StickingTheLanding().draw(q, 1)
