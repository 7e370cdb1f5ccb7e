"""The conditional VAE: given a class, or another variable such as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from elbowroom.conditional import Conditional
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError, unknown
from elbowroom.families.base import Family
from elbowroom.families.location_scale import Gaussian
from elbowroom.model import Model
from elbowroom.nets.joined import Joined
from elbowroom.nets.mlp import MLP, Chain
from elbowroom.nets.one_hot import OneHot
from elbowroom.objectives.elbo import ELBO
from elbowroom.priors.standard import StandardNormal
from elbowroom.recipes.base import (
    PERCEPTRONS,
    Recipe,
    decoder,
    encoder,
    input_scaling,
    likelihood_for,
    likelihood_name,
    network_for,
)
from elbowroom.recipes.vae import AVERAGED
from elbowroom.shapes import Batch

PRIORS = ("auto", "standard", "network", "none")
FEATURES = 256  # what convolutions say of a picture that is read beside something else


def cvae(
    spec: DataSpec,
    data: Batch | None = None,
    condition: str = "label",
    latent_dim: int = 32,
    hidden: Sequence[int] = (512, 256),
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    prior: str = "auto",
    beta: float = 1.0,
    samples: int = 1,
) -> Recipe:
    """``p(z|c) p(x|z,c)`` and ``q(z|x,c)`` for a column c of the data.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        condition: c: ``label``, another class, or another variable, such as a picture.
        latent_dim: dimension of z.
        hidden: widths of the hidden layers of every network; the likelihood's are in reverse.
        likelihood: as for the VAE.
        scale: as for the VAE.
        networks: auto, mlp, conv or resnet.
        act: nonlinearity.
        prior: standard: N(0, I) whatever c is; network: a Gaussian with parameters from c; none:
            no latents, the plain network from c to x; auto: standard for classes, else network.
        beta: weight of the KL term.
        samples: particles per datum.
    """
    if prior not in PRIORS:
        raise unknown("prior", prior, PRIORS)
    if prior == "auto":
        prior = "standard" if condition in spec.classes else "network"
    p, kind = likelihood_for(likelihood, spec, data, scale), network_for(networks, spec)
    c, width = condition_reader(condition, spec, data, kind, act)
    chosen = {"likelihood": likelihood_name(p), "networks": kind, "condition": condition}
    if prior == "none":
        plain = Chain([c, decoder(kind, spec, p, hidden, width, act)])
        model = Model(None, Conditional(plain, p, condition), None)
        return Recipe(model, ELBO(), dict(AVERAGED), chosen)
    x, features = reader(spec, p, kind, act)
    q, widths = Gaussian(latent_dim), hidden if kind in PERCEPTRONS else [FEATURES]
    from_condition = Chain([c, MLP(width, widths, q.size, act)])
    from_latents = decoder(kind, spec, p, hidden, latent_dim + width, act)
    from_data = MLP(features + width, widths, q.size, act)
    standard = StandardNormal(latent_dim)
    model = Model(
        standard if prior == "standard" else Conditional(from_condition, q, condition),
        Conditional(Joined(from_latents, [nn.Identity(), c]), p, ("z", condition)),
        Conditional(Joined(from_data, [x, c]), q, ("x", condition)),
    )
    return Recipe(model, ELBO(samples, beta=beta), dict(AVERAGED), chosen)


def reader(spec: DataSpec, family: Family, kind: str, act: str) -> tuple[nn.Module, int]:
    """Return the network that reads a variable beside others, and how many numbers it gives."""
    if kind in PERCEPTRONS:
        return input_scaling(spec, family) or nn.Identity(), spec.size
    return encoder(kind, spec, family, (), FEATURES, act), FEATURES


def condition_reader(
    name: str, spec: DataSpec, data: Batch | None, kind: str, act: str
) -> tuple[nn.Module, int]:
    """Return the network that reads a condition, and how many numbers it gives.

    Raises:
        UserError: the data have no such column.
    """
    if name in spec.classes:
        return OneHot(nn.Identity(), [spec.classes[name]]), spec.classes[name]
    if not spec.classes and not spec.variables:
        raise UserError(f"{spec.name} has no label and no other column beside x to condition on")
    if name not in spec.variables:
        raise unknown("condition", name, [*spec.classes, *spec.variables])
    own = spec.of(name)
    kind = kind if own.image is not None else "mlp"
    return reader(own, likelihood_for("auto", own, data, "entry", name), kind, act)
