"""Single cells: counts of genes around a library size, with the batch given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from elbowroom.conditional import Conditional, Product
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError, unknown
from elbowroom.families.base import Family
from elbowroom.families.location_scale import Gaussian
from elbowroom.families.negative_binomial import NegativeBinomial, ZeroInflatedNegativeBinomial
from elbowroom.families.poisson import Poisson
from elbowroom.model import Model
from elbowroom.nets.joined import Joined
from elbowroom.nets.log1p import Log1p, LogTotal
from elbowroom.nets.mlp import MLP
from elbowroom.nets.one_hot import OneHot
from elbowroom.nets.proportions import Appended, Proportions
from elbowroom.nets.table import Table
from elbowroom.objectives.elbo import ELBO
from elbowroom.posteriors.amortized import Amortized
from elbowroom.priors.standard import Learned, StandardNormal
from elbowroom.recipes.base import Recipe
from elbowroom.schedules import Linear
from elbowroom.shapes import Batch

FAMILIES: dict[str, Any] = {
    "zinb": ZeroInflatedNegativeBinomial,
    "nb": NegativeBinomial,
    "poisson": Poisson,
}
LIBRARIES = ("observed", "latent")
SETTINGS = {"steps": 4000, "batch_size": 128}


def scvi(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 10,
    hidden: Sequence[int] = (128,),
    likelihood: str = "zinb",
    dispersion: str | float = "entry",
    library: str = "observed",
    condition: str = "batch",
    encode_batch: bool = False,
    norm: str = "layer",
    dropout: float = 0.1,
    warmup: int = 1000,
) -> Recipe:
    """Counts whose mean is a library size split over genes, by a latent state and the batch.

    Args:
        spec: what is known of the data.
        data: training columns by name; the library sizes are read off x.
        latent_dim: dimension of z.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        likelihood: zinb, nb or poisson.
        dispersion: θ: entry (one per gene), shared, batch (one per gene and batch), network (per
            gene and cell), or a number.
        library: observed (a cell's total) or latent (log-normal in each batch).
        condition: class column that the decoder is given, so that z need not hold it; none, or
            batch where the data have no such column: there is none.
        encode_batch: whether the encoder is given it too.
        norm: of hidden units: layer, batch or none.
        dropout: share of the encoder's hidden units dropped in training.
        warmup: steps over which the KL term's weight rises from 0 to 1.
    """
    if library not in LIBRARIES:
        raise unknown("library", library, LIBRARIES)
    if condition not in ("none", "batch", *spec.classes):
        raise unknown("class column", condition, ["none", *spec.classes])
    k = spec.classes.get(condition, 0)  # 0: there is no such column
    p, given = counts_of(spec, likelihood, dispersion, k), (condition,) if k else ()
    cell = [(Log1p(), spec.size), *one_hot(k * encode_batch)]
    seen = ("x", *given[: int(encode_batch)])

    def read(q: Family, widths: Sequence[int]) -> Conditional:
        return Conditional(network(cell, widths, q.size, norm, dropout), q, seen)

    prior: dict[str, nn.Module] = {"z": StandardNormal(latent_dim)}
    latents = {"z": read(Gaussian(latent_dim), hidden)}
    if library == "latent":
        prior["log_l"] = library_prior(data, k, condition)
        latents["log_l"] = started(read(Gaussian(1), hidden[:1]), data)
    tabled = dispersion == "batch" and not isinstance(p, Poisson)
    write = decoder(latent_dim, hidden[::-1], p, k, tabled, norm)
    model = Model(
        Product(prior),
        Conditional(write, p, ("log_l", "z", *given)),
        Amortized(Product(latents), {"log_l": LogTotal()} if library == "observed" else None),
    )
    weight = Linear(0.0, 1.0, warmup) if warmup else 1.0
    chosen = {"likelihood": likelihood, "library": library, "batch": condition if k else "none"}
    return Recipe(model, ELBO(beta={"z": weight}), dict(SETTINGS), chosen)


def counts_of(spec: DataSpec, name: str, dispersion: str | float, classes: int) -> Family:
    """Return the family of the counts.

    Raises:
        UserError: no such likelihood; a dispersion by batch without batches.
    """
    if name not in FAMILIES:
        raise unknown("likelihood", name, FAMILIES)
    if name == "poisson":
        return Poisson(spec.shape)
    if dispersion == "batch" and not classes:
        raise UserError("dispersion=batch: the data have no batches; take entry")
    return FAMILIES[name](spec.shape, "network" if dispersion == "batch" else dispersion)


def network(
    inputs: Sequence[tuple[nn.Module, int]],
    hidden: Sequence[int],
    outputs: int,
    norm: str,
    dropout: float = 0.0,
) -> nn.Module:
    """Return a perceptron on inputs that are modules with their widths."""
    modules, widths = zip(*inputs)
    return Joined(MLP(sum(widths), hidden, outputs, dropout=dropout, norm=norm), modules)


def one_hot(classes: int) -> list[tuple[nn.Module, int]]:
    """Return the input for a class, if there are any classes."""
    return [(OneHot(nn.Identity(), [classes]), classes)] if classes else []


def decoder(
    latent_dim: int, hidden: Sequence[int], p: Family, classes: int, by_batch: bool, norm: str
) -> nn.Module:
    """Return the network of ``(log l, z, batch)``; with θ by batch from a table as last block."""
    entries = math.prod(p.event)
    own = entries if by_batch else 0
    inputs = [(nn.Identity(), latent_dim), *one_hot(classes)]
    net = network(inputs, hidden, p.size - own, norm)
    return Proportions(Appended(net, Table(classes, own)) if own else net, entries)


def library_prior(data: Batch | None, classes: int, batch: str) -> nn.Module:
    """Return a log-normal prior by batch: at first the training data's, then learned."""
    rows = max(classes, 1)
    prior = Conditional(Table(rows, 2), Gaussian(1), batch) if classes else Learned(Gaussian(1))
    if data is not None:
        groups = [data["x"][data[batch] == row] if classes else data["x"] for row in range(rows)]
        next(prior.parameters()).data.copy_(torch.stack([moments(x) for x in groups]))
    return prior


def started(posterior: Conditional, data: Batch | None) -> Conditional:
    """Let q(log l | x) be the training data's log-normal for all cells at first."""
    if data is not None:
        last = [part for part in posterior.net.modules() if isinstance(part, nn.Linear)][-1]
        last.bias.data.copy_(moments(data["x"]))
    return posterior


def moments(x: Tensor) -> Tensor:
    """Return mean and log standard deviation of the log totals; 0, 0 of fewer than two cells."""
    if len(x) < 2:
        return torch.zeros(2)
    sizes = LogTotal()(x.float())
    return torch.stack([sizes.mean(), sizes.std(correction=0).clamp(min=0.01).log()])
