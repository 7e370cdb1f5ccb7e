"""The VAE whose latents are bits or classes, in one layer or two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from elbowroom.conditional import Conditional, Product
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError, unknown
from elbowroom.families.base import Family
from elbowroom.families.bernoulli import Bernoulli
from elbowroom.families.categorical import Categorical
from elbowroom.model import Model
from elbowroom.nets.mlp import MLP, Chain
from elbowroom.nets.rescale import Rescale
from elbowroom.priors.standard import Learned
from elbowroom.recipes.base import (
    Recipe,
    decoder,
    encoder,
    likelihood_for,
    likelihood_name,
    network_for,
)
from elbowroom.recipes.discrete_gradients import gradient_for, objective_for
from elbowroom.recipes.vae import AVERAGED
from elbowroom.shapes import Batch

LATENTS = ("bernoulli", "categorical")


def discrete_vae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 200,
    hidden: Sequence[int] = (),
    likelihood: str = "auto",
    networks: str = "auto",
    act: str = "relu",
    gradient: str = "leave-one-out",
    temperature: float = 0.3,
    warmup: int = 0,
    samples: int = 0,
    latent: str = "bernoulli",
    classes: int = 10,
    layers: int = 1,
) -> Recipe:
    """Discrete latents with a learned prior; linear networks unless `hidden` says otherwise.

    Two layers are ``p(z2) p(z1|z2) p(x|z1)`` and ``q(z1|x) q(z2|z1)``. The KL term of the top
    layer is the discrete one, by its formula, whatever the gradient; that of a layer below is
    sampled, for what the prior says of it depends on what was drawn from it.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: number of bits, or of all classes together, in every layer.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse. Between
            two layers of latents too.
        likelihood: as for the VAE.
        networks: auto, mlp, conv or resnet.
        act: nonlinearity.
        gradient: reinforce; reinforce with a baseline: leave-one-out, nvil, running-mean or
            optimal-constant; mu-prop; rebar or relax; arm or disarm, of bits;
            vimco, which is for the importance-weighted bound; or biased ones: gumbel or
            straight-through.
        temperature: of the Gumbel-softmax relaxation; REBAR and RELAX learn theirs from there.
            Two layers take its hard form, for relaxed states have no density.
        warmup: steps over which the KL term's weight rises from 0 to 1.
        samples: particles per datum; 0 is 4 for leave-one-out and vimco, a pair for arm and
            disarm, and 1 for the others.
        latent: bernoulli, or categorical: ``latent_dim / classes`` variables of so many classes.
        classes: of a categorical variable.
        layers: of latents, 1 or 2.

    Raises:
        UserError: there is no such gradient or sort of latent, or it is not for such latents;
            latent_dim is no multiple of classes; a warm-up is asked for under vimco.
    """
    p, z = likelihood_for(likelihood, spec, data), latents_for(latent, latent_dim, classes)
    kind, names = network_for(networks, spec), names_of(layers)
    read = decoder(kind, spec, p, hidden, latent_dim, act)
    infer = Conditional(encoder(kind, spec, p, hidden, z.size, act), z, "x")
    prior, posterior = stacked(names, infer, z, latent_dim, hidden, act)
    model = Model(prior, Conditional(centred(z, read), p, names[0]), posterior)
    sizes = [("x", math.prod(spec.shape)), *((name, latent_dim) for name in names)]
    estimator = gradient_for(gradient, latent, sizes, temperature)
    objective = objective_for(gradient, estimator, samples, warmup)
    chosen = {"likelihood": likelihood_name(p), "networks": kind, "gradient": gradient}
    return Recipe(model, objective, dict(AVERAGED), chosen)


def stacked(
    names: Sequence[str],
    lowest: Conditional,
    z: Family,
    units: int,
    hidden: Sequence[int],
    act: str,
) -> tuple[Product, Product]:
    """Return ``p(z2) p(z1|z2)`` and ``q(z1|x) q(z2|z1)``, or one layer of each.

    Args:
        names: of the latents, from the data up.
        lowest: ``q(z1|x)``.
        z: family of every layer.
        units: numbers of a layer.
        hidden: widths of the networks between layers, from the data up.
        act: nonlinearity.
    """
    posterior: dict[str, nn.Module] = {names[0]: lowest}
    prior: dict[str, nn.Module] = {names[-1]: Learned(z)}
    for below, above in pairwise(names):
        posterior[above] = Conditional(between(z, units, hidden, act), z, below)
        prior[below] = Conditional(between(z, units, hidden[::-1], act), z, above)
    return Product(prior), Product(posterior)


def latents_for(latent: str, units: int, classes: int) -> Family:
    """Return the family of a layer.

    Raises:
        UserError: there is no such sort; the units do not make whole variables.
    """
    if latent not in LATENTS:
        raise unknown("sort of latent", latent, LATENTS)
    if latent == "bernoulli":
        return Bernoulli(units)
    if classes < 2 or units % classes:
        raise UserError(
            f"latent_dim={units} is to be a multiple of classes={classes}, and those 2 or more: "
            "200 and 10 are 20 variables"
        )
    return Categorical(classes, units // classes)


def names_of(layers: int) -> tuple[str, ...]:
    """Return the names of the latents, from the data up.

    Raises:
        UserError: there are neither one nor two layers.
    """
    if layers not in (1, 2):
        raise UserError(f"layers={layers}: give 1 or 2; ladder-vae has more, of Gaussians")
    return ("z",) if layers == 1 else ("z1", "z2")


def centred(z: Family, net: nn.Module) -> nn.Module:
    """Let a network read bits as -1 and 1; classes as they are."""
    return Chain([Rescale(0, 1), net]) if isinstance(z, Bernoulli) else net


def between(z: Family, units: int, hidden: Sequence[int], act: str) -> nn.Module:
    """Make the network from one layer to the parameters of the other."""
    return centred(z, MLP(units, hidden, z.size, act))
