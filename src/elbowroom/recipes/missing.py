"""Tables with holes."""

from __future__ import annotations

from collections.abc import Sequence

from elbowroom.conditional import Conditional
from elbowroom.data.spec import DataSpec
from elbowroom.families.base import Family
from elbowroom.families.location_scale import Gaussian, StudentT
from elbowroom.families.standardised import Standardised
from elbowroom.model import Model
from elbowroom.nets.standardise import Standardise
from elbowroom.objectives.iwae import IWAE
from elbowroom.priors.standard import StandardNormal
from elbowroom.recipes.base import (
    Recipe,
    decoder,
    encoder,
    likelihood_for,
    likelihood_name,
    observed,
)
from elbowroom.shapes import Batch


def miwae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 10,
    hidden: Sequence[int] = (128, 128),
    likelihood: str = "auto",
    act: str = "relu",
    samples: int = 20,
) -> Recipe:
    """The importance-weighted bound of what is observed; absent entries are left out of it.

    The encoder sees absent entries as 0, after standardisation. On complete data it is the IWAE.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by; absent entries are not counted.
        latent_dim: dimension of z.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        likelihood: auto is Student's t with a network's scale and degrees of freedom for real
            numbers, else as for the VAE.
        act: nonlinearity.
        samples: importance samples K.
    """
    heavy = likelihood == "auto" and spec.kind == "real"
    p = student_t(spec, data) if heavy else likelihood_for(likelihood, spec, data, "network")
    q = Gaussian(latent_dim)
    model = Model(
        prior=StandardNormal(latent_dim),
        likelihood=Conditional(decoder("mlp", spec, p, hidden, latent_dim, act), p, "z"),
        posterior=Conditional(encoder("mlp", spec, p, hidden, q.size, act), q, "x"),
    )
    settings = {"batch_size": 64, "learning_rate": 1e-3}
    return Recipe(model, IWAE(samples), settings, {"likelihood": likelihood_name(p)})


def student_t(spec: DataSpec, data: Batch | None) -> Family:
    """Return Student's t on columns standardised by what is observed of them."""
    affine = Standardise(spec.shape)
    if data is not None:
        affine.fit(observed(data))
    return Standardised(StudentT(spec.shape, df="network", minimum=1e-3), affine)
