"""A tiny instance of every registered type, in one literal table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import elbowroom as er
from elbowroom.families.flow import Flow
from elbowroom.gradients.cubature import Cubature
from elbowroom.gradients.location import Location
from elbowroom.gradients.score import Network
from elbowroom.nets.rescale import Rescale
from elbowroom.nets.standardise import Standardise
from elbowroom.objectives.adversarial import Adversarial
from elbowroom.posteriors.exact import Exact

SIZE, DIM = 4, 2
mlp = er.nets.MLP


def encoder(size: int = SIZE, given: str = "x") -> er.Conditional:
    return er.Conditional(mlp(size, [5], 2 * DIM), er.Gaussian(DIM), given)


def decoder() -> er.Conditional:
    return er.Conditional(mlp(DIM, [5], SIZE), er.Bernoulli(SIZE), "z")


def model(prior: nn.Module | None = None, posterior: nn.Module | None = None) -> er.Model:
    return er.Model(prior or er.StandardNormal(DIM), decoder(), posterior or encoder())


def ladder_model() -> er.Model:
    prior = er.TopDown(6, {"top": 2, "bottom": 3})
    heads = {name: mlp(6 + 5, [], 2 * size) for name, size in prior.latents.items()}
    posterior = er.Ladder(mlp(SIZE, [6], 5), prior, heads)
    return er.Model(prior, er.Conditional(mlp(6, [], SIZE), er.Bernoulli(SIZE), "h"), posterior)


def quantized_model() -> er.Model:
    quantizer = er.Quantized(InPairs(mlp(SIZE, [5], 6)), codes=5, dim=3)
    likelihood = er.Conditional(mlp(6, [5], SIZE), er.Bernoulli(SIZE), "z")
    return er.Model(er.UniformCodes(2, 5, quantizer), likelihood, quantizer)


class InPairs(nn.Module):
    """A user's own module: cuts ``(N, 6)`` into two vectors of three."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x).unflatten(1, (2, 3))


er.register("in_pairs", InPairs)


def experts_model() -> er.Model:
    views = {"a": encoder(3, "a"), "b": encoder(4, "b")}
    likelihood = {
        "a": er.Conditional(mlp(DIM, [], 3), er.Gaussian(3, scale="shared"), "z"),
        "b": er.Conditional(mlp(DIM, [], 4), er.Gaussian(4, scale=1.0), "z"),
    }
    return er.Model(er.StandardNormal(DIM), er.Product(likelihood), er.MixtureOfExperts(views))


def exact_model() -> er.Model:
    likelihood = er.Conditional(mlp(DIM, [], SIZE), er.Gaussian(SIZE, scale="entry"), "z")
    return er.Model(er.StandardNormal(DIM), likelihood, Exact(likelihood, DIM))


def chain_model() -> er.Model:
    sites = {
        "y": encoder(),
        "z": er.Conditional(mlp(SIZE + DIM, [], 2 * DIM), er.Gaussian(DIM), ("x", "y")),
    }
    priors = {
        "y": er.StandardNormal(DIM),
        "z": er.Conditional(mlp(DIM, [], 2 * DIM), er.Gaussian(DIM), "y"),
    }
    return er.Model(er.Product(priors), decoder(), er.Amortized(er.Product(sites)))


def per_datum_model() -> er.Model:
    return model(posterior=er.PerDatum(8, er.Gaussian(DIM)))


def learned_model() -> er.Model:
    return model(prior=er.Learned(er.Gaussian(DIM)))


MODELS: dict[str, Callable[[], er.Model]] = {
    "plain": model,
    "learned": learned_model,
    "ladder": ladder_model,
    "quantized": quantized_model,
    "experts": experts_model,
    "exact": exact_model,
    "chain": chain_model,
    "per datum": per_datum_model,
    "flow": lambda: model(posterior=flow_encoder()),
}


def flow_encoder() -> er.Conditional:
    family = Flow(DIM, hidden=(5,), context=2)
    return er.Conditional(mlp(SIZE, [5], family.size), family, "x")


FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "bernoulli": lambda: er.Bernoulli(SIZE),
    "gaussian": lambda: er.Gaussian(SIZE, scale="entry", minimum=0.01),
    "laplace": lambda: er.Laplace(SIZE, scale=0.5),
    "student_t": lambda: er.StudentT(SIZE),
    "categorical": lambda: er.Categorical(SIZE),
    "categorical_codes": lambda: er.CategoricalCodes(SIZE, 3),
    "poisson": lambda: er.Poisson(SIZE),
    "continuous_bernoulli": lambda: er.ContinuousBernoulli(SIZE),
    "discretized_logistic": lambda: er.DiscretizedLogistic(SIZE, levels=8),
    "discretized_logistic_mixture": lambda: er.DiscretizedLogisticMixture(
        SIZE, components=2, levels=8
    ),
    "delta": lambda: er.Delta(SIZE),
    "flow": lambda: Flow(SIZE, hidden=(5,), context=2),
}

EXAMPLES: dict[str, Callable[[], Any]] = {
    **FAMILIES,
    "standardised": lambda: er.Standardised(er.Gaussian(SIZE), Standardise(SIZE)),
    "model": model,
    "conditional": encoder,
    "product": lambda: er.Product({"x": decoder()}),
    "standard_normal": lambda: er.StandardNormal((2, 3)),
    "learned": lambda: er.Learned(er.Gaussian(DIM)),
    "uniform_codes": lambda: er.UniformCodes((2, 2), 5),
    "top_down": lambda: er.TopDown(6, {"top": 2, "bottom": 3}),
    "amortized": lambda: er.Amortized(encoder()),
    "mixture_of_experts": lambda: er.MixtureOfExperts({"a": encoder(3, "a")}, name="z"),
    "quantized": lambda: er.Quantized(mlp(SIZE, [5], 6), codes=5, dim=3),
    "per_datum": lambda: er.PerDatum(8, er.Gaussian(DIM)),
    "ladder": lambda: ladder_model().posterior,
    "exact": lambda: exact_model().posterior,
    "pathwise": er.Pathwise,
    "sticking_the_landing": er.StickingTheLanding,
    "doubly_reparameterised": er.DoublyReparameterised,
    "score_function": lambda: er.ScoreFunction(er.LeaveOneOut()),
    "leave_one_out": er.LeaveOneOut,
    "network_baseline": lambda: Network(mlp(SIZE, [5], 1), given=("x",)),
    "enumerate": er.Enumerate,
    "cubature": Cubature,
    "location": lambda: Location(64),
    "elbo": lambda: er.ELBO(
        2,
        {"z": er.ScoreFunction()},
        beta={"z": er.Linear(0.0, 1.0, 5)},
        weights={"x": 2.0},
        form="sampled",
    ),
    "iwae": lambda: er.IWAE(3, er.Pathwise(), per_stratum=True),
    "adversarial": lambda: Adversarial(mlp(SIZE, [5], 1)),
    "free_bits": lambda: er.FreeBits(0.5, per="dimension"),
    "capacity": lambda: er.Capacity(10.0, er.Linear(0.0, 5.0, 10)),
    "constant": lambda: er.Constant(0.5),
    "linear": lambda: er.Linear(0.0, 1.0, 5),
    "cyclical": lambda: er.Cyclical(0.0, 1.0, 5),
    "cosine": lambda: er.Cosine(1.0, 0.1, 5, warmup=2),
    "exponential": lambda: er.Exponential(1.0, 0.5),
    "mlp": lambda: mlp(SIZE, [5], 3, kind="residual", dropout=0.1),
    "one_hot": lambda: er.nets.OneHot(mlp(SIZE + 3, [], 2), [0, 3]),
    "chain": lambda: er.nets.Chain([mlp(SIZE, [], 3), mlp(3, [], 2)]),
    "conv_encoder": lambda: er.nets.ConvEncoder((1, 6, 6), [2, 3], 4, hidden=5, residual=1),
    "conv_decoder": lambda: er.nets.ConvDecoder(DIM, [3, 2], (1, 6, 6), hidden=5, residual=1),
    "rescale": lambda: Rescale(0.0, 255.0),
    "standardise": lambda: Standardise(SIZE),
}


def batch(count: int = 8) -> dict[str, torch.Tensor]:
    """Data that every model of the table can read."""
    generator = torch.Generator().manual_seed(0)
    return {
        "x": torch.randint(0, 2, (count, SIZE), generator=generator).float(),
        "a": torch.randn(count, 3, generator=generator),
        "b": torch.randn(count, 4, generator=generator),
        "index": torch.arange(count),
    }
