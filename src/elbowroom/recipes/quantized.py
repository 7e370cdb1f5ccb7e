"""The VQ-VAE: a picture as a grid of codes, and a prior that learns which go together."""

from __future__ import annotations

from elbowroom.conditional import Conditional
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError, unknown
from elbowroom.families.categorical import CategoricalCodes
from elbowroom.families.pixelcnn import PixelCNN
from elbowroom.model import Model
from elbowroom.nets.grids import GridDecoder, GridEncoder
from elbowroom.nets.mlp import Chain
from elbowroom.objectives.elbo import ELBO
from elbowroom.posteriors.quantized import Quantized
from elbowroom.priors.codes import Codes
from elbowroom.priors.standard import Learned, UniformCodes
from elbowroom.recipes.base import Recipe, input_scaling, likelihood_for, likelihood_name
from elbowroom.shapes import Batch

PRIORS = ("pixelcnn", "uniform")


def vq_vae(
    spec: DataSpec,
    data: Batch | None = None,
    codes: int = 512,
    code_dim: int = 64,
    channels: int = 128,
    stages: int = 2,
    commitment: float = 0.25,
    learning: str = "average",
    prior: str = "pixelcnn",
    likelihood: str = "auto",
    scale: str | float = "auto",
) -> Recipe:
    """Codes from a codebook instead of a Gaussian latent, with a PixelCNN over their grid.

    Args:
        spec: what is known of the data, which are pictures.
        data: training columns by name, to standardise by.
        codes: size of the codebook.
        code_dim: length of a code.
        channels: width of encoder and decoder.
        stages: how often sides are halved: 2 for a grid of a quarter of the side.
        commitment: weight of the commitment term.
        learning: average or gradient: how the codebook follows the encoder.
        prior: pixelcnn, learned at the same time, or uniform.
        likelihood: as for the VAE.
        scale: of a real or discretised likelihood; auto is 1 for real numbers (in units of the
            data's standard deviation) and shared for grey levels.
    """
    if spec.image is None:
        raise UserError(f"vq-vae needs pictures; {spec.name} has rows of {spec.size}")
    if prior not in PRIORS:
        raise unknown("prior", prior, PRIORS)
    if scale == "auto":
        scale = 1.0 if "real" in (spec.kind, likelihood) or likelihood == "gaussian" else "shared"
    p = likelihood_for(likelihood, spec, data, scale)
    encoder = GridEncoder(spec.image, channels, code_dim, stages)
    scaling, (_, height, width) = input_scaling(spec, p), spec.image
    posterior = Quantized(
        encoder if scaling is None else Chain([scaling, encoder]),
        codes, code_dim, commitment, learning=learning,
    )  # fmt: skip
    over_codes = PixelCNN(CategoricalCodes(encoder.grid, codes), 64, 5, first=5)
    outputs = (p.size // (height * width), height, width)
    model = Model(
        Codes(Learned(over_codes), posterior)
        if prior == "pixelcnn"
        else UniformCodes(encoder.grid, codes, posterior),
        Conditional(GridDecoder(code_dim, channels, outputs, stages), p, "z"),
        posterior,
    )
    chosen = {"likelihood": likelihood_name(p), "grid": "×".join(map(str, encoder.grid))}
    return Recipe(model, ELBO(), {"learning_rate": 3e-4}, chosen)
