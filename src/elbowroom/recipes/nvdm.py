"""Documents as bags of words."""

from __future__ import annotations

from collections.abc import Sequence

from elbowroom.conditional import Conditional
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.families.location_scale import Gaussian
from elbowroom.families.words import Words
from elbowroom.model import Model
from elbowroom.nets.log1p import Log1p
from elbowroom.nets.mlp import MLP, Chain
from elbowroom.objectives.elbo import ELBO
from elbowroom.priors.standard import StandardNormal
from elbowroom.recipes.base import Recipe
from elbowroom.schedules import Linear
from elbowroom.shapes import Batch

USUAL_LENGTH = 100  # of documents that are drawn, where no data say
SETTINGS = {"steps": 5000, "batch_size": 128, "clip_norm": 20.0}


def nvdm(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 50,
    hidden: Sequence[int] = (500,),
    decoder: Sequence[int] = (),
    act: str = "tanh",
    dropout: float = 0.0,
    log_counts: bool = True,
    warmup: int = 0,
    samples: int = 1,
) -> Recipe:
    """Words drawn one by one from a softmax of a Gaussian vector.

    Args:
        spec: what is known of the data.
        data: training columns by name: drawn documents are as long as the mean of x.
        latent_dim: dimension of z.
        hidden: widths of the encoder's hidden layers.
        decoder: widths of the decoder's; none makes it linear: a direction of z is a topic.
        act: nonlinearity.
        dropout: share of hidden units dropped in training.
        log_counts: whether the encoder reads log(1 + n) instead of counts n.
        warmup: steps over which the KL term's weight rises from 0 to 1.
        samples: particles per datum.
    """
    if spec.kind != "counts" or len(spec.shape) != 1:
        raise UserError(
            f"{spec.description}: this model needs rows of word counts, declared by kind=counts"
        )
    length = (
        USUAL_LENGTH if data is None else max(round(float(data["x"].sum(1).float().mean())), 1)
    )
    p, q = Words(spec.size, length), Gaussian(latent_dim)
    read = MLP(spec.size, hidden, q.size, act, dropout=dropout)
    write = MLP(latent_dim, decoder, p.size, act, dropout=dropout)
    model = Model(
        prior=StandardNormal(latent_dim),
        likelihood=Conditional(write, p, "z"),
        posterior=Conditional(Chain([Log1p(), read]) if log_counts else read, q, "x"),
    )
    weight = Linear(0.0, 1.0, warmup) if warmup else 1.0
    return Recipe(model, ELBO(samples, beta=weight), dict(SETTINGS))
