"""Principal components: the one latent-variable model that is fitted by a formula alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elbowroom.conditional import Conditional
from elbowroom.errors import UserError
from elbowroom.model import Model
from elbowroom.objectives.base import Bound, Loss, refuse_holes
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.maximise import is_affine_gaussian, set_scale
from elbowroom.shapes import Batch


class PrincipalComponents(Bound):
    """Sets an affine Gaussian model to the maximum of its likelihood in one step.

    With ``S = U Λ Uᵀ`` the covariance (1/N) of the batch, which should be the whole training
    set: with a prior (probabilistic PCA) ``σ² = Σ_{j>q} λ_j / (D - q)``, unless it is fixed, and
    ``W = U_q (Λ_q - σ²)_+^½``; without one (PCA) ``W = U_q``, the encoder is its transpose, and
    σ² is the mean squared error per entry. The signs are such that the largest entry of every
    component is positive.

    Raises:
        UserError: the batch has holes, or the model is no such Gaussian.

    References:
        Probabilistic Principal Component Analysis (Tipping, Bishop 1999).
    """

    whole_data = True
    solved_by = "formula"

    def __init__(self, name: str = "x") -> None:
        super().__init__()
        self.name = name
        self.waiting: list[tuple[Model, Tensor]] = []

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        refuse_holes(batch)
        self.part(model)
        if self.training:
            self.waiting.append((model, batch[self.name].flatten(1).double()))
        with torch.no_grad():
            loss = ELBO()(model, batch, step)
        return Loss(loss.total, metrics=loss.metrics)

    def part(self, model: Model) -> Any:
        """Return the likelihood of the data.

        Raises:
            UserError: it is not an affine Gaussian, or there are too many components.
        """
        part = model.likelihood.sites[self.name]
        if not isinstance(part, Conditional) or not is_affine_gaussian(part):
            raise UserError("principal components need an affine net and a Gaussian family")
        if model.prior is not None and part.family.scale == "entry":  # type: ignore[attr-defined]
            raise UserError("a noise for each entry makes it factor analysis, which EM fits")
        net: Any = part.net
        size, dim = net.outputs, net.inputs
        if dim >= size:
            raise UserError(f"{dim} components of data with {size} entries: give fewer")
        return part

    @torch.no_grad()
    def commit(self, flag: Tensor | None = None) -> None:
        """Solve for the parameters."""
        waiting, self.waiting = self.waiting, []
        if not waiting or (flag is not None and bool(flag)):
            return
        self.solve(waiting[0][0], torch.cat([x for _, x in waiting]))

    @torch.no_grad()
    def solve(self, model: Model, x: Tensor) -> None:
        """Set the parameters to those of data ``(N, D)``, computed in their precision."""
        part, mean = self.part(model), x.mean(0)
        values, vectors = spectrum(x - mean)
        dim = part.net.inputs
        basis, kept, rest = vectors[:, :dim], values[:dim], values[dim:]
        layer = part.net.layers[-1]
        layer.bias.copy_(mean)
        if model.prior is None:
            layer.weight.copy_(basis)
            encoder = model.posterior.joint.sites["z"].net.layers[-1]
            encoder.weight.copy_(basis.mT)
            encoder.bias.copy_(-(basis.mT @ mean))
            set_scale(part.family, rest.sum().expand(len(mean)) / len(mean))
        else:
            fixed = part.family.scale
            noise = rest.mean() if fixed == "shared" else rest.new_tensor(fixed).square()
            layer.weight.copy_(basis * (kept - noise).clamp_min(0).sqrt())
            set_scale(part.family, noise.expand(len(mean)))


def spectrum(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues ``(D,)``, falling, and eigenvectors ``(D, D)`` of the covariance."""
    values, vectors = torch.linalg.eigh(centred.mT @ centred / len(centred))
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return values, vectors * largest.sign()
