"""elbowroom: variational autoencoders and the deep latent-variable models around them."""

from elbowroom import nets
from elbowroom._version import __version__
from elbowroom.conditional import Conditional, Product
from elbowroom.families.bernoulli import Bernoulli
from elbowroom.families.location_scale import Gaussian
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.config import build, to_config
from elbowroom.priors.standard import Learned, StandardNormal
from elbowroom.registry import register
from elbowroom.schedules import Constant, Cosine, Cyclical, Exponential, Linear
