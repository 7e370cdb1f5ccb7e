"""What the recipes for several modalities share: how each modality is read and written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from elbowroom.conditional import Conditional, Product
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.families.base import Family
from elbowroom.families.location_scale import Laplace
from elbowroom.families.standardised import Standardised
from elbowroom.nets.joined import Joined
from elbowroom.nets.standardise import Standardise
from elbowroom.priors.standard import Learned
from elbowroom.recipes.base import decoder, encoder, likelihood_for, likelihood_name, network_for
from elbowroom.shapes import Batch

SHARED, PRIVATE = "z", "private_"
UNIT_SCALE = 0.75  # of grey levels brought to [0, 1]


@dataclass(frozen=True)
class View:
    """One modality.

    Attributes:
        name: its column.
        spec: what is known of it.
        family: its likelihood.
        kind: of its networks.
    """

    name: str
    spec: DataSpec
    family: Family
    kind: str


@dataclass(frozen=True)
class Views:
    """All modalities of a data set, and what their networks have in common.

    Attributes:
        each: the modalities.
        hidden: widths of the encoders' hidden layers; the decoders have them in reverse.
        act: nonlinearity.
        shared: dimension of the latent that all modalities share.
        private: dimension of the latent that each has for itself, or 0.
    """

    each: Sequence[View]
    hidden: Sequence[int]
    act: str
    shared: int
    private: int

    @property
    def names(self) -> list[str]:
        return [view.name for view in self.each]

    def likelihood(self) -> Product:
        """Return ``Π_m p(x_m | z, u_m)``, with the private latents u where there are any."""
        width = self.shared + self.private
        own = [PRIVATE] if self.private else []
        sites = {v.name: [SHARED, *(prefix + v.name for prefix in own)] for v in self.each}
        return Product({v.name: self.written(v, sites[v.name], width) for v in self.each})

    def written(self, view: View, given: Sequence[str], width: int) -> Conditional:
        """Return one modality's likelihood given latents of `width` entries in all."""
        net = decoder(view.kind, view.spec, view.family, self.hidden, width, self.act)
        if len(given) == 1:
            return Conditional(net, view.family, given[0])
        return Conditional(Joined(net, [nn.Identity() for _ in given]), view.family, given)

    def read(self, view: View, family: Family) -> Conditional:
        """Return one modality's encoder."""
        net = encoder(view.kind, view.spec, view.family, self.hidden, family.size, self.act)
        return Conditional(net, family, view.name)

    def experts(self, shared: Any, private: Any) -> dict[str, nn.Module]:
        """Return every modality's expert on the shared latent and, if there is one, its own.

        Args:
            shared, private: make a family of the dimension they are given.
        """
        found: dict[str, nn.Module] = {}
        for view in self.each:
            expert = self.read(view, shared(self.shared))
            own = self.read(view, private(self.private)) if self.private else None
            found[view.name] = (
                Product({SHARED: expert, PRIVATE + view.name: own}) if own else expert
            )
        return found

    def prior(self, shared: nn.Module, private: Any) -> Product:
        """Return the prior of the shared latent and of the private ones.

        Args:
            shared: prior of the shared latent.
            private: makes a prior of the dimension it is given.
        """
        own = {PRIVATE + name: private(self.private) for name in self.names if self.private}
        return Product({SHARED: shared, **own})

    def auxiliary(self, family: Any) -> dict[str, nn.Module] | None:
        """Return what a private latent is for the experts of other modalities, if there is one.

        Args:
            family: makes a family of the dimension it is given.
        """
        if not self.private:
            return None
        return {PRIVATE + name: narrow(Learned(family(self.private))) for name in self.names}

    def weights(self) -> Mapping[str, float] | None:
        """Return what brings every modality to as many entries as the largest; None for 1 each."""
        sizes = {view.name: view.spec.size for view in self.each}
        largest = max(sizes.values())
        factors = {name: largest / size for name, size in sizes.items()}
        return None if set(factors.values()) == {1.0} else factors

    @property
    def chosen(self) -> dict[str, str]:
        """What was picked from the data, by name."""
        return {view.name: f"{likelihood_name(view.family)}, {view.kind}" for view in self.each}


@torch.no_grad()
def narrow(part: Learned) -> Learned:
    """Start a distribution of location 0 at a tenth of the prior's scale.

    A likelihood that is to be vague here and sharp elsewhere has to tell the two apart.
    """
    _, log_scale = part.output.chunk(2, -1)
    log_scale.fill_(math.log(0.1))
    return part


def views(
    spec: DataSpec,
    data: Batch | None,
    shared: int,
    private: int,
    hidden: Sequence[int],
    likelihood: str,
    networks: str,
    act: str,
    scale: str | float = "auto",
) -> Views:
    """Look at every modality of a data set.

    Grey levels are taken under a Laplace density of scale 0.75 after they were brought to [0, 1]
    (likelihood ``auto``), as in the papers; other kinds under what suits them.

    Raises:
        UserError: there are fewer than two modalities.
    """
    if len(spec.modalities) < 2:
        raise UserError(
            f"{spec.name} has one modality; this model is for several: an .npz file of arrays, "
            "one a modality, with as many rows each"
        )
    each = []
    for name in spec.modalities:
        one = spec.of(name)
        family = family_for(likelihood, one, data, name, scale)
        each.append(View(name, one, family, network_for(networks, one)))
    return Views(each, hidden, act, shared, private)


def family_for(
    likelihood: str, spec: DataSpec, data: Batch | None, name: str, scale: str | float
) -> Family:
    """Return one modality's likelihood."""
    if likelihood != "auto" or spec.kind != "levels":
        return likelihood_for(likelihood, spec, data, scale, name)
    affine = Standardise(spec.shape)
    affine.scale.fill_((spec.levels or 256) - 1)
    return Standardised(
        Laplace(spec.shape, scale=UNIT_SCALE if scale == "auto" else scale), affine
    )
