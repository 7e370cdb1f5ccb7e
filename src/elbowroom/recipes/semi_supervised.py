"""Generative semi-supervised learning: a class that is observed for few data."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from elbowroom.arguments import not_empty
from elbowroom.conditional import Conditional, Product
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.families.categorical import CategoricalCodes
from elbowroom.families.location_scale import Gaussian
from elbowroom.gradients.enumerate import Enumerate
from elbowroom.model import Model
from elbowroom.nets.activations import Activation
from elbowroom.nets.joined import Joined
from elbowroom.nets.mlp import MLP, Chain
from elbowroom.nets.one_hot import OneHot
from elbowroom.objectives.classification import Classification
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.penalties import Penalised
from elbowroom.posteriors.amortized import Amortized
from elbowroom.priors.standard import StandardNormal, UniformCodes
from elbowroom.recipes.base import Recipe, encoder, likelihood_for, likelihood_name, network_for
from elbowroom.recipes.vae import AVERAGED
from elbowroom.shapes import Batch


def m2(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 50,
    hidden: Sequence[int] = (500,),
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    alpha: float = 10.0,
    beta: float = 4.0,
) -> Recipe:
    """A class y and a style z: ``p(y) p(z) p(x|y,z)``, with q(y|x) a classifier.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of the style.
        hidden: widths of hidden layers; the decoder has them in reverse.
        likelihood: as for the VAE.
        scale: as for the VAE.
        networks: auto, mlp, gated, conv or resnet; of what reads the data.
        act: nonlinearity.
        alpha: weight of the labelled data's cross entropy.
        beta: weight of the style's KL term. At 1, as in the paper, the style takes on the class
            too, before the decoder has learned to heed y.
    """
    classes = spec.classes.get("label")
    if classes is None:
        raise UserError(f"m2 infers a class, and {spec.name} has no label to learn it from")
    not_empty("hidden", hidden)
    p, kind = likelihood_for(likelihood, spec, data, scale), network_for(networks, spec)
    y, z = CategoricalCodes((), classes), Gaussian(latent_dim)

    def with_label(size: int, widths: Sequence[int], outputs: int) -> nn.Module:
        one_hot = OneHot(nn.Identity(), [classes])
        return Joined(MLP(size + classes, widths, outputs, act), [nn.Identity(), one_hot])

    width = hidden[-1]
    features = Chain([encoder(kind, spec, p, hidden[:-1], width, act), Activation(act)])
    posterior = {
        "label": Conditional(MLP(width, (), classes), y, "features"),
        "z": Conditional(with_label(width, (), z.size), z, ("features", "label")),
    }
    back = with_label(latent_dim, list(reversed(hidden)), p.size)
    model = Model(
        prior=Product({"label": UniformCodes((), classes), "z": StandardNormal(latent_dim)}),
        likelihood=Conditional(back, p, ("z", "label")),
        posterior=Amortized(Product(posterior), {"features": features}),
    )
    bound = ELBO(gradient={"label": Enumerate()}, beta={"z": beta})
    objective = Penalised(bound, {"classification": Classification()}, {"classification": alpha})
    chosen = {"likelihood": likelihood_name(p), "networks": kind}
    return Recipe(model, objective, dict(AVERAGED), chosen)
