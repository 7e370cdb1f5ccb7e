"""elbowroom: variational autoencoders and the deep latent-variable models around them.

A model is a prior, a likelihood and a posterior; an objective is an expectation over the
posterior; a gradient is how that expectation is differentiated.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from elbowroom import nets
from elbowroom._version import __version__
from elbowroom.conditional import Conditional, Product
from elbowroom.config import build, to_config
from elbowroom.describe import describe
from elbowroom.errors import UserError
from elbowroom.families.bernoulli import Bernoulli
from elbowroom.families.categorical import Categorical, CategoricalCodes
from elbowroom.families.continuous_bernoulli import ContinuousBernoulli
from elbowroom.families.delta import Delta
from elbowroom.families.discretized_logistic import (
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
)
from elbowroom.families.location_scale import Gaussian, Laplace, StudentT
from elbowroom.families.pixelcnn import PixelCNN
from elbowroom.families.poisson import Poisson
from elbowroom.families.standardised import Standardised
from elbowroom.families.tokens import Tokens
from elbowroom.gradients.disarm import ARM, DisARM
from elbowroom.gradients.enumerate import Enumerate
from elbowroom.gradients.moments import OptimalConstant, RunningMean
from elbowroom.gradients.mu_prop import MuProp
from elbowroom.gradients.nvil import NVIL
from elbowroom.gradients.pathwise import DoublyReparameterised, Pathwise, StickingTheLanding
from elbowroom.gradients.rebar import REBAR, RELAX
from elbowroom.gradients.relaxed import GumbelSoftmax, StraightThrough
from elbowroom.gradients.score import LeaveOneOut, ScoreFunction
from elbowroom.gradients.vimco import VIMCO
from elbowroom.model import Model
from elbowroom.objectives.adversarial import Adversarial
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.iwae import IWAE
from elbowroom.objectives.kl_rules import Capacity, FreeBits
from elbowroom.objectives.multiple import CIWAE, PIWAE, MultipleIWAE
from elbowroom.objectives.renyi import Renyi
from elbowroom.objectives.thermodynamic import ThermodynamicVariational
from elbowroom.posteriors.amortized import Amortized
from elbowroom.posteriors.experts import MixtureOfExperts
from elbowroom.posteriors.ladder import Ladder
from elbowroom.posteriors.per_datum import PerDatum
from elbowroom.posteriors.quantized import Quantized
from elbowroom.priors.codes import Codes
from elbowroom.priors.mixture import MixturePrior
from elbowroom.priors.standard import Learned, StandardNormal, UniformCodes
from elbowroom.priors.top_down import TopDown
from elbowroom.priors.vamp import VampPrior
from elbowroom.registry import register
from elbowroom.schedules import Constant, Cosine, Cyclical, Exponential, Linear, Logistic

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

    from elbowroom import data, evaluate, inference, recipes
    from elbowroom.estimators import (
        VAE,
        Autoencoder,
        FactorAnalysis,
        GaussianMixture,
        ProbabilisticCCA,
        ProbabilisticPCA,
    )
    from elbowroom.families.flow import Flow
    from elbowroom.inference.advi import ADVI
    from elbowroom.inference.parameters import Parameter
    from elbowroom.train.fit import fit, resume
    from elbowroom.train.run_folder import load
    from elbowroom.train.settings import Settings
    from elbowroom.train.state import init, step

# What needs more than torch is imported when it is first asked for.
LAZY = {
    "data": "elbowroom.data",
    "evaluate": "elbowroom.evaluate",
    "inference": "elbowroom.inference",
    "recipes": "elbowroom.recipes",
    "VAE": "elbowroom.estimators:VAE",
    "Autoencoder": "elbowroom.estimators:Autoencoder",
    "PCA": "sklearn.decomposition:PCA",  # theirs: it has all that a model without a prior can
    "ProbabilisticPCA": "elbowroom.estimators:ProbabilisticPCA",
    "FactorAnalysis": "elbowroom.estimators:FactorAnalysis",
    "GaussianMixture": "elbowroom.estimators:GaussianMixture",
    "ProbabilisticCCA": "elbowroom.estimators:ProbabilisticCCA",
    "ADVI": "elbowroom.inference.advi:ADVI",
    "Parameter": "elbowroom.inference.parameters:Parameter",
    "Flow": "elbowroom.families.flow:Flow",
    "Settings": "elbowroom.train.settings:Settings",
    "fit": "elbowroom.train.fit:fit",
    "resume": "elbowroom.train.fit:resume",
    "load": "elbowroom.train.run_folder:load",
    "init": "elbowroom.train.state:init",
    "step": "elbowroom.train.state:step",
}


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module 'elbowroom' has no attribute {name!r}")
    module, _, attribute = LAZY[name].partition(":")
    value = import_module(module)
    return getattr(value, attribute) if attribute else value


def __dir__() -> list[str]:
    return sorted([*globals(), *LAZY])


__all__ = [
    "ADVI",
    "ARM",
    "CIWAE",
    "ELBO",
    "IWAE",
    "NVIL",
    "PCA",
    "PIWAE",
    "REBAR",
    "RELAX",
    "VAE",
    "VIMCO",
    "Adversarial",
    "Amortized",
    "Autoencoder",
    "Bernoulli",
    "Capacity",
    "Categorical",
    "CategoricalCodes",
    "Codes",
    "Conditional",
    "Constant",
    "ContinuousBernoulli",
    "Cosine",
    "Cyclical",
    "Delta",
    "DisARM",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "DoublyReparameterised",
    "Enumerate",
    "Exponential",
    "FactorAnalysis",
    "Flow",
    "FreeBits",
    "Gaussian",
    "GaussianMixture",
    "GumbelSoftmax",
    "Ladder",
    "Laplace",
    "Learned",
    "LeaveOneOut",
    "Linear",
    "Logistic",
    "MixtureOfExperts",
    "MixturePrior",
    "Model",
    "MuProp",
    "MultipleIWAE",
    "OptimalConstant",
    "Parameter",
    "Pathwise",
    "PerDatum",
    "PixelCNN",
    "Poisson",
    "ProbabilisticCCA",
    "ProbabilisticPCA",
    "Product",
    "Quantized",
    "Renyi",
    "RunningMean",
    "ScoreFunction",
    "Settings",
    "StandardNormal",
    "Standardised",
    "StickingTheLanding",
    "StraightThrough",
    "StudentT",
    "ThermodynamicVariational",
    "Tokens",
    "TopDown",
    "UniformCodes",
    "UserError",
    "VampPrior",
    "__version__",
    "build",
    "data",
    "describe",
    "evaluate",
    "fit",
    "inference",
    "init",
    "load",
    "nets",
    "recipes",
    "register",
    "resume",
    "step",
    "to_config",
]
