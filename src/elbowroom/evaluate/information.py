"""How much each latent of a model tells of the data, whatever the latents above it tell."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from elbowroom.distributions.gaussian import Gaussian
from elbowroom.distributions.mixture import gaussian_pairs
from elbowroom.draw import Site
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import Estimate, require_likelihood
from elbowroom.evaluate.particles import FETCH, Data, Sampling, batches, frozen
from elbowroom.model import Model

PAIRS = 2**25
"""Pairs (datum, component) that are scored at once."""


def information(model: Model, data: Data, samples: int = 32, seed: int = 0) -> dict[str, Estimate]:
    """Bound the mutual information ``I(x; ε_l)`` from below, by latent, nats.

    ``ε_l = (z_l - μ_p(z_>l)) / σ_p(z_>l)`` is what level l adds to what the levels above it have
    said: under the prior it is ``N(0, I)`` whatever these are. A level that repeats the prior
    has exactly none, also where free bits pay for a divergence that carries nothing. For a
    latent without parents under a standard prior, ε is z.

    The bound is ``E[log f(ε_n, x_n) - log (1/N) Σ_m f(ε_n, x_m)]`` with ``f = q(ε|x)``, averaged
    over `samples` draws of the levels above, apart from the one that gave ε; it holds for any f,
    and cannot exceed log N.

    Args:
        model: the model; latents whose posterior and prior are diagonal Gaussians are measured.
        data: a data set, tensors ``(N, *event)`` by name, or one tensor called ``x``.
        samples: draws of the levels above.
        seed: seed of the draws.

    Raises:
        UserError: no latent has a Gaussian posterior under a Gaussian prior.

    References:
        Representation Learning with Contrastive Predictive Coding (arXiv:1807.03748).
        On Variational Bounds of Mutual Information (arXiv:1905.06922).
    """
    require_likelihood(model)
    parts: dict[str, list[tuple[Tensor, ...]]] = {}
    with frozen(model, seed):
        for batch in batches(data, FETCH, seed, model.device):
            for name, site in model.draw(batch, samples + 1, Sampling()).sites.items():
                if isinstance(site.q, Gaussian) and isinstance(site.p, Gaussian):
                    parts.setdefault(name, []).append(innovation(site))
    if not parts:
        raise UserError("no latent of this model is a Gaussian under a Gaussian prior")
    joined = {name: [torch.cat(one, -2) for one in zip(*found)] for name, found in parts.items()}
    return {name: Estimate(contrast(*found), samples) for name, found in joined.items()}


def innovation(site: Site) -> tuple[Tensor, Tensor, Tensor]:
    """Return ε of the last particle ``(B, d)``, and q's mean and log scale of it ``(M, B, d)``.

    The last particle is left out of the M where they differ.
    """
    q, p = site.q, site.p
    assert isinstance(q, Gaussian)
    assert isinstance(p, Gaussian)
    value = ((site.value - p.loc) / p.scale)[-1]
    loc, log_scale = (q.loc - p.loc) / p.scale, q.log_scale - p.log_scale
    shape = torch.broadcast_shapes(loc.shape, log_scale.shape)
    rows: Any = [field.expand(shape).flatten(2) for field in (loc, log_scale)]
    rows = [row if len(row) == 1 else row[:-1] for row in rows]
    return value.flatten(1), *rows


def contrast(value: Tensor, loc: Tensor, log_scale: Tensor) -> Tensor:
    """Return ``log f(ε_n, x_n) - log (1/N) Σ_m f(ε_n, x_m)``, ``(N,)``, float64."""
    draws, count = loc.shape[:2]
    components = Gaussian(
        loc.reshape(1, -1, loc.shape[-1]), log_scale.reshape(1, -1, loc.shape[-1])
    )
    found = []
    for rows in torch.arange(count, device=value.device).split(max(PAIRS // (draws * count), 1)):
        pairs = gaussian_pairs(components, value[rows]).unflatten(1, (draws, count))
        log_f = pairs.double().logsumexp(1)
        own = log_f.gather(1, rows.unsqueeze(1)).squeeze(1)
        found.append(own - log_f.logsumexp(1) + math.log(count))
    return torch.cat(found).cpu()
