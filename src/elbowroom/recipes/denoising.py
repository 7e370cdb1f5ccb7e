"""Denoising autoencoders, read as generative models: a chain of corrupting and repairing."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from elbowroom.conditional import Conditional
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError, unknown
from elbowroom.families.base import Family
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.posteriors.corruption import Corruption, GaussianNoise, Masking, SaltAndPepper
from elbowroom.posteriors.walkback import Walkback
from elbowroom.priors.chain import MarkovChain
from elbowroom.recipes.base import Recipe, encoder, likelihood_for, likelihood_name
from elbowroom.recipes.vae import AVERAGED
from elbowroom.shapes import Batch

CORRUPTIONS = ("auto", "salt_and_pepper", "masking", "gaussian")


def denoising(
    spec: DataSpec,
    data: Batch | None = None,
    hidden: Sequence[int] = (2000,),
    likelihood: str = "auto",
    corruption: str = "auto",
    noise: float = 0.4,
    act: str = "relu",
    steps: int = 100,
) -> Recipe:
    """Repair a corrupted datum; the model's prior is the chain of corrupting and repairing.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        hidden: widths of the hidden layers between x̃ and x.
        likelihood: P(x|x̃), as for the VAE.
        corruption: auto, salt_and_pepper, masking or gaussian; auto is gaussian for real numbers.
        noise: share of entries that are corrupted; of Gaussian noise the standard deviation, in
            those of the columns.
        act: nonlinearity.
        steps: transitions of the chain behind every sample.
    """
    p = likelihood_for(likelihood, spec, data)
    repair = Conditional(encoder("mlp", spec, p, hidden, p.size, act), p, "z")
    c = corruption_for(corruption, spec, p, noise)
    model = Model(prior=MarkovChain(c, repair, steps), likelihood=repair, posterior=c)
    chosen = {"likelihood": likelihood_name(p), "corruption": type(c).__name__}
    return Recipe(model, ELBO(), dict(AVERAGED), chosen)


def walkback(
    spec: DataSpec,
    data: Batch | None = None,
    hidden: Sequence[int] = (2000,),
    likelihood: str = "auto",
    corruption: str = "auto",
    noise: float = 0.4,
    act: str = "relu",
    steps: int = 100,
    walk: int = 5,
    decay: float = 1.0,
) -> Recipe:
    """The denoising autoencoder, led back to the datum from wherever its own chain goes.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        hidden: widths of the hidden layers between x̃ and x.
        likelihood: P(x|x̃), as for the VAE.
        corruption: auto, salt_and_pepper, masking or gaussian.
        noise: share of entries that are corrupted, or the standard deviation of the noise.
        act: nonlinearity.
        steps: transitions of the chain behind every sample.
        walk: states of the chain that each datum is repaired from in training.
        decay: weight of each state relative to the one before.
    """
    recipe = denoising(spec, data, hidden, likelihood, corruption, noise, act, steps)
    chain = recipe.model.prior
    recipe.model = Model(chain, chain.likelihood, Walkback(chain, walk, decay))
    return recipe


def corruption_for(name: str, spec: DataSpec, family: Family, noise: float) -> Corruption:
    """Return a corruption by name; ``auto`` picks it from the kind of data.

    Raises:
        UserError: no such corruption, or data that are neither numbers nor binary.
    """
    if name not in CORRUPTIONS:
        raise unknown("corruption", name, CORRUPTIONS)
    if spec.kind not in ("binary", "levels", "real"):
        raise UserError(f"{spec.name} holds {spec.kind}; corrupted are binary, grey or real data")
    if name == "gaussian" or (name == "auto" and spec.kind == "real"):
        affine: nn.Module | None = getattr(family, "affine", None)
        return GaussianNoise(noise, affine)  # type: ignore[arg-type]
    if name == "masking":
        return Masking(noise)
    return SaltAndPepper(noise, 0.0, float((spec.levels or 2) - 1))
