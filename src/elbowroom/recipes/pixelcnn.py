"""PixelCNN: pictures without latents, one entry after another."""

from __future__ import annotations

from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError, unknown
from elbowroom.families.base import Family
from elbowroom.families.bernoulli import Bernoulli
from elbowroom.families.categorical import CategoricalCodes
from elbowroom.families.discretized_logistic import DiscretizedLogisticMixture
from elbowroom.families.pixelcnn import PixelCNN
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.priors.standard import Learned
from elbowroom.recipes.base import Recipe, levels_of, likelihood_name
from elbowroom.shapes import Batch

ENTRIES = ("auto", "bernoulli", "categorical", "mixture")
MANY = 32  # levels from which on a mixture of logistics says more with less than a softmax


def pixelcnn(
    spec: DataSpec,
    data: Batch | None = None,
    channels: int = 16,
    layers: int = 10,
    kernel: int = 3,
    first: int = 7,
    kind: str = "gated",
    entries: str = "auto",
    components: int = 5,
    places: int = 8,
) -> Recipe:
    """An exact likelihood of pictures, and nothing to encode them by: what a VAE is held to.

    Args:
        spec: what is known of the data, which are pictures of whole numbers.
        data: not used.
        channels: width of the network.
        layers: its depth.
        kernel: side of its masked convolutions.
        first: side of the first one.
        kind: gated (two stacks, no blind spot) or plain.
        entries: how an entry is distributed given those before: bernoulli, categorical, mixture
            (of discretised logistics); auto is the first for binary data, the second for a few
            levels, the third for many.
        components: of the mixture.
        places: channels of a learned map of what is likely where; 0 for a network that is the
            same at every place.
    """
    if spec.image is None or spec.shape != spec.image:
        raise UserError(f"pixelcnn needs pictures (C, H, W); {spec.name} has rows of {spec.shape}")
    if entries not in ENTRIES:
        raise unknown("kind of entries", entries, ENTRIES)
    if entries == "auto":
        many = (spec.levels or 0) >= MANY
        entries = "bernoulli" if spec.kind == "binary" else "mixture" if many else "categorical"
    one: Family = Bernoulli(spec.shape)
    if entries == "categorical":
        one = CategoricalCodes(spec.shape, levels_of(spec))
    elif entries == "mixture":
        one = DiscretizedLogisticMixture(spec.shape, components, levels_of(spec))
    family = PixelCNN(one, channels, layers, kernel, first, kind, places=places)
    settings = {"batch_size": 16, "clip_norm": 10.0, "average": 0.99}
    model = Model(prior=None, likelihood=Learned(family), posterior=None)
    return Recipe(model, ELBO(), settings, {"entries": likelihood_name(one)})
