"""A tiny instance of every registered type, in one literal table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import elbowroom as er
from elbowroom import inference
from elbowroom.families.components import Components
from elbowroom.families.flow import Flow
from elbowroom.families.full_gaussian import FullGaussian
from elbowroom.families.negative_binomial import NegativeBinomial, ZeroInflatedNegativeBinomial
from elbowroom.families.words import Multinomial, Words
from elbowroom.gradients.covariance import Covariance
from elbowroom.gradients.cubature import Cubature
from elbowroom.gradients.disarm import ARM, DisARM
from elbowroom.gradients.location import Location
from elbowroom.gradients.moments import OptimalConstant, RunningMean
from elbowroom.gradients.mu_prop import MuProp
from elbowroom.gradients.nvil import NVIL
from elbowroom.gradients.rebar import REBAR, RELAX
from elbowroom.gradients.relaxed import GumbelSoftmax, StraightThrough
from elbowroom.gradients.score import Network
from elbowroom.nets.activations import Activation
from elbowroom.nets.grids import GridDecoder, GridEncoder
from elbowroom.nets.log1p import Log1p, LogTotal
from elbowroom.nets.normalise import Normalise
from elbowroom.nets.proportions import Appended, Proportions
from elbowroom.nets.rescale import Rescale
from elbowroom.nets.squash import Restore, Squash
from elbowroom.nets.standardise import Standardise
from elbowroom.nets.table import Table
from elbowroom.objectives.adversarial import Adversarial
from elbowroom.objectives.canonical import CanonicalCorrelation
from elbowroom.objectives.classification import Classification
from elbowroom.objectives.em import ExpectationMaximisation
from elbowroom.objectives.penalties import Penalised
from elbowroom.objectives.principal import PrincipalComponents
from elbowroom.objectives.reweighted_wake_sleep import ReweightedWakeSleep
from elbowroom.objectives.subsets import Subsets
from elbowroom.objectives.vae_gan import VAEGAN
from elbowroom.objectives.wake_sleep import WakeSleep
from elbowroom.posteriors.bayes import Bayes
from elbowroom.posteriors.corruption import GaussianNoise, Masking, SaltAndPepper
from elbowroom.posteriors.exact import Exact
from elbowroom.posteriors.exact_views import ExactViews
from elbowroom.posteriors.experts import MixtureOfProducts, ProductOfExperts
from elbowroom.posteriors.hamiltonian import Hamiltonian
from elbowroom.posteriors.langevin import Langevin
from elbowroom.posteriors.prior_draws import PriorDraws
from elbowroom.posteriors.semi_amortised import SemiAmortised
from elbowroom.posteriors.tilted import Tilted
from elbowroom.posteriors.walkback import Walkback
from elbowroom.priors.chain import MarkovChain
from elbowroom.priors.poise import PairwiseEnergy

SIZE, DIM = 4, 2
mlp = er.nets.MLP


def encoder(size: int = SIZE, given: str = "x") -> er.Conditional:
    return er.Conditional(mlp(size, [5], 2 * DIM), er.Gaussian(DIM), given)


def decoder() -> er.Conditional:
    return er.Conditional(mlp(DIM, [5], SIZE), er.Bernoulli(SIZE), "z")


def model(prior: nn.Module | None = None, posterior: nn.Module | None = None) -> er.Model:
    return er.Model(prior or er.StandardNormal(DIM), decoder(), posterior or encoder())


def ladder_model() -> er.Model:
    prior = er.TopDown(6, {"top": 2, "bottom": 3})
    heads = {name: mlp(6 + 5, [], 2 * size) for name, size in prior.latents.items()}
    posterior = er.Ladder(mlp(SIZE, [6], 5), prior, heads)
    return er.Model(prior, er.Conditional(mlp(6, [], SIZE), er.Bernoulli(SIZE), "h"), posterior)


def quantized_model() -> er.Model:
    quantizer = er.Quantized(InPairs(mlp(SIZE, [5], 6)), codes=5, dim=3)
    likelihood = er.Conditional(mlp(6, [5], SIZE), er.Bernoulli(SIZE), "z")
    return er.Model(er.UniformCodes(2, 5, quantizer), likelihood, quantizer)


class InPairs(nn.Module):
    """A user's own module: cuts ``(N, 6)`` into two vectors of three."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x).unflatten(1, (2, 3))


er.register("in_pairs", InPairs)


def experts_model() -> er.Model:
    views = {"a": encoder(3, "a"), "b": encoder(4, "b")}
    likelihood = {
        "a": er.Conditional(mlp(DIM, [], 3), er.Gaussian(3, scale="shared"), "z"),
        "b": er.Conditional(mlp(DIM, [], 4), er.Gaussian(4, scale=1.0), "z"),
    }
    return er.Model(er.StandardNormal(DIM), er.Product(likelihood), er.MixtureOfExperts(views))


def products_model() -> er.Model:
    """A latent that is private to one modality, beside the shared one."""
    prior = er.Product({"z": er.StandardNormal(DIM), "own": er.StandardNormal(1)})
    own = er.Conditional(mlp(3, [], 2), er.Gaussian(1), "a")
    views = {"a": er.Product({"z": encoder(3, "a"), "own": own}), "b": encoder(4, "b")}
    likelihood = {
        "a": er.Conditional(mlp(DIM + 1, [], 3), er.Gaussian(3, scale="shared"), ("z", "own")),
        "b": er.Conditional(mlp(DIM, [], 4), er.Gaussian(4, scale=1.0), "z"),
    }
    return er.Model(prior, er.Product(likelihood), MixtureOfProducts(views, prior=prior))


def product_model() -> er.Model:
    views = {"a": encoder(3, "a"), "b": encoder(4, "b")}
    return er.Model(er.StandardNormal(DIM), experts_model().likelihood, ProductOfExperts(views))


def views_model() -> er.Model:
    sizes = {"a": 3, "b": 4}
    likelihood = er.Product(
        {n: er.Conditional(mlp(DIM, [], d), FullGaussian(d), "z") for n, d in sizes.items()}
    )
    return er.Model(er.StandardNormal(DIM), likelihood, ExactViews(likelihood, DIM))


def tilted_model() -> er.Model:
    prior = PairwiseEnergy({"u": DIM, "v": DIM}, sweeps=4)
    likelihood = {
        "a": er.Conditional(mlp(DIM, [], 3), er.Gaussian(3, scale="shared"), "u"),
        "b": er.Conditional(mlp(DIM, [], 4), er.Gaussian(4, scale=1.0), "v"),
    }
    experts = {"u": encoder(3, "a"), "v": encoder(4, "b")}
    return er.Model(prior, er.Product(likelihood), Tilted(experts, prior))


def exact_model() -> er.Model:
    likelihood = er.Conditional(mlp(DIM, [], SIZE), er.Gaussian(SIZE, scale="entry"), "z")
    return er.Model(er.StandardNormal(DIM), likelihood, Exact(likelihood, DIM))


def chain_model() -> er.Model:
    sites = {
        "y": encoder(),
        "z": er.Conditional(mlp(SIZE + DIM, [], 2 * DIM), er.Gaussian(DIM), ("x", "y")),
    }
    priors = {
        "y": er.StandardNormal(DIM),
        "z": er.Conditional(mlp(DIM, [], 2 * DIM), er.Gaussian(DIM), "y"),
    }
    return er.Model(er.Product(priors), decoder(), er.Amortized(er.Product(sites)))


def vamp_model() -> er.Model:
    posterior = encoder()
    return er.Model(er.VampPrior(posterior, SIZE, 3, [0, 1]), decoder(), posterior)


def denoising_model() -> er.Model:
    repair = er.Conditional(mlp(SIZE, [5], SIZE), er.Bernoulli(SIZE), "z")
    chain = MarkovChain(SaltAndPepper(0.4), repair, 3)
    return er.Model(chain, repair, Walkback(chain, 3, 0.5))


def per_datum_model() -> er.Model:
    return model(posterior=er.PerDatum(8, er.Gaussian(DIM)))


def learned_model() -> er.Model:
    return model(prior=er.Learned(er.Gaussian(DIM)))


MODELS: dict[str, Callable[[], er.Model]] = {
    "plain": model,
    "learned": learned_model,
    "ladder": ladder_model,
    "quantized": quantized_model,
    "experts": experts_model,
    "products": products_model,
    "product": product_model,
    "views": views_model,
    "exact": exact_model,
    "chain": chain_model,
    "per datum": per_datum_model,
    "denoising": denoising_model,
    "vamp": vamp_model,
    "flow": lambda: model(posterior=flow_encoder()),
    "hamiltonian": lambda: model(posterior=Hamiltonian(encoder(), steps=2, dim=DIM)),
    "langevin": lambda: model(posterior=Langevin(encoder(), steps=2)),
}


def flow_encoder() -> er.Conditional:
    family = Flow(DIM, hidden=(5,), context=2)
    return er.Conditional(mlp(SIZE, [5], family.size), family, "x")


FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "bernoulli": lambda: er.Bernoulli(SIZE),
    "gaussian": lambda: er.Gaussian(SIZE, scale="entry", minimum=0.01),
    "laplace": lambda: er.Laplace(SIZE, scale=0.5),
    "student_t": lambda: er.StudentT(SIZE),
    "categorical": lambda: er.Categorical(SIZE),
    "categorical_codes": lambda: er.CategoricalCodes(SIZE, 3),
    "poisson": lambda: er.Poisson(SIZE),
    "negative_binomial": lambda: NegativeBinomial(SIZE, "shared"),
    "zero_inflated_negative_binomial": lambda: ZeroInflatedNegativeBinomial(SIZE),
    "words": lambda: Words(SIZE, length=7),
    "multinomial": lambda: Multinomial(SIZE, length=7),
    "continuous_bernoulli": lambda: er.ContinuousBernoulli(SIZE),
    "discretized_logistic": lambda: er.DiscretizedLogistic(SIZE, levels=8),
    "discretized_logistic_mixture": lambda: er.DiscretizedLogisticMixture(
        SIZE, components=2, levels=8
    ),
    "full_gaussian": lambda: FullGaussian(SIZE),
    "delta": lambda: er.Delta(SIZE),
    "flow": lambda: Flow(SIZE, hidden=(5,), context=2),
    "tokens": lambda: er.Tokens(SIZE, er.nets.SequenceDecoder(9, DIM, 3, 5)),
}

EXAMPLES: dict[str, Callable[[], Any]] = {
    **FAMILIES,
    "standardised": lambda: er.Standardised(er.Gaussian(SIZE), Standardise(SIZE)),
    "pixelcnn": lambda: er.PixelCNN(
        er.CategoricalCodes((2, 2), 3), channels=4, layers=2, kernel=3, first=3, temperature=0.9
    ),
    "model": model,
    "conditional": encoder,
    "product": lambda: er.Product({"x": decoder()}),
    "standard_normal": lambda: er.StandardNormal((2, 3)),
    "learned": lambda: er.Learned(er.Gaussian(DIM)),
    "uniform_codes": lambda: er.UniformCodes((2, 2), 5),
    "codes": lambda: er.Codes(er.Learned(er.CategoricalCodes(2, 5)), quantized_model().posterior),
    "mixture_prior": lambda: er.MixturePrior(er.Gaussian(DIM), 3),
    "vamp_prior": lambda: er.VampPrior(encoder(), SIZE, 3),
    "top_down": lambda: er.TopDown(6, {"top": 2, "bottom": 3}),
    "amortized": lambda: er.Amortized(encoder()),
    "mixture_of_experts": lambda: er.MixtureOfExperts({"a": encoder(3, "a")}, name="z"),
    "pairwise_energy": lambda: PairwiseEnergy({"u": 2, "v": 3}, sweeps=4),
    "tilted": lambda: tilted_model().posterior,
    "exact_views": lambda: views_model().posterior,
    "mixture_of_products": lambda: MixtureOfProducts({"a": encoder(3, "a")}),
    "product_of_experts": lambda: ProductOfExperts({"a": encoder(3, "a"), "b": encoder(4, "b")}),
    "quantized": lambda: er.Quantized(mlp(SIZE, [5], 6), codes=5, dim=3),
    "prior_draws": lambda: PriorDraws(er.Product({"z": er.StandardNormal(DIM)})),
    "per_datum": lambda: er.PerDatum(8, er.Gaussian(DIM)),
    "ladder": lambda: ladder_model().posterior,
    "semi_amortised": lambda: SemiAmortised(encoder(), steps=2, clip=5.0, natural=True),
    "hamiltonian": lambda: Hamiltonian(encoder(), steps=2, dim=DIM),
    "langevin": lambda: Langevin(encoder(), steps=2),
    "exact": lambda: exact_model().posterior,
    "bayes": lambda: Bayes(3),
    "components": lambda: Components((2, 2), 3, "diagonal"),
    "expectation_maximisation": lambda: ExpectationMaximisation(Cubature()),
    "principal_components": PrincipalComponents,
    "pathwise": er.Pathwise,
    "sticking_the_landing": er.StickingTheLanding,
    "doubly_reparameterised": er.DoublyReparameterised,
    "score_function": lambda: er.ScoreFunction(er.LeaveOneOut()),
    "vimco": lambda: er.VIMCO("arithmetic"),
    "covariance": Covariance,
    "leave_one_out": er.LeaveOneOut,
    "network_baseline": lambda: Network(mlp(SIZE, [5], 1), given=("x",)),
    "nvil": lambda: NVIL(mlp(SIZE, [5], 1), decay=0.9, normalise=True),
    "running_mean": lambda: RunningMean(0.8),
    "optimal_constant": lambda: OptimalConstant(0.8),
    "mu_prop": MuProp,
    "rebar": lambda: REBAR(0.3, 0.9),
    "relax": lambda: RELAX(mlp(DIM + SIZE, [5], 1), given=("x",), temperature=0.3),
    "arm": ARM,
    "disarm": DisARM,
    "gumbel_softmax": lambda: GumbelSoftmax(er.Exponential(1.0, 0.5), hard=True),
    "straight_through": StraightThrough,
    "enumerate": er.Enumerate,
    "cubature": Cubature,
    "location": lambda: Location(64),
    "elbo": lambda: er.ELBO(
        2,
        {"z": er.ScoreFunction()},
        beta={"z": er.Linear(0.0, 1.0, 5)},
        weights={"x": 2.0},
        form="sampled",
    ),
    "iwae": lambda: er.IWAE(3, er.Pathwise(), per_stratum=True),
    "multiple_iwae": lambda: er.MultipleIWAE(2, 3, weights={"x": 2.0}),
    "ciwae": lambda: er.CIWAE(0.3, 4, er.Pathwise()),
    "piwae": lambda: er.PIWAE(2, 3, {"z": er.VIMCO()}),
    "renyi": lambda: er.Renyi(-math.inf, 3),
    "thermodynamic_variational": lambda: er.ThermodynamicVariational(6, betas=(0.1, 0.4)),
    "adversarial": lambda: Adversarial(mlp(SIZE, [5], 1)),
    "vae_gan": lambda: VAEGAN(mlp(SIZE, [5], 3), mlp(3, [], 1), gamma=0.5),
    "wake_sleep": lambda: WakeSleep(2),
    "reweighted_wake_sleep": lambda: ReweightedWakeSleep(3, recognition="wake"),
    "joint_inference": inference.JointInference,
    "alternating_inference": lambda: inference.AlternatingInference(
        5, 2, True, inference.PerDatumInference()
    ),
    "per_datum_inference": lambda: inference.PerDatumInference("zeros", inner=3),
    "wake_sleep_inference": lambda: inference.WakeSleepInference(2),
    "reweighted_wake_sleep_inference": lambda: inference.ReweightedWakeSleepInference(3, "sleep"),
    "semi_amortised_inference": lambda: inference.SemiAmortisedInference(3, clip=1.0),
    "hamiltonian_inference": lambda: inference.HamiltonianInference(2, tempered=False),
    "langevin_inference": lambda: inference.LangevinInference(2, 0.1),
    "naive_monte_carlo_inference": lambda: inference.NaiveMonteCarloInference(7),
    "markov_chain": lambda: denoising_model().prior,
    "walkback": lambda: denoising_model().posterior,
    "salt_and_pepper": lambda: SaltAndPepper(0.3, 0.0, 255.0),
    "masking": lambda: Masking(0.3, -1.0),
    "gaussian_noise": lambda: GaussianNoise(0.5, Standardise(SIZE)),
    "normalise": Normalise,
    "squash": lambda: Squash(0.0, 255.0),
    "restore": lambda: Restore(Standardise(SIZE)),
    "penalised": lambda: Penalised(er.ELBO(), {"c": Classification("y")}, {"c": 2.0}),
    "classification": lambda: Classification("y"),
    "canonical_correlation": lambda: CanonicalCorrelation(["a", "b"], ridge=0.1),
    "subsets": lambda: Subsets(er.ELBO(), ["a", "b"], random=1),
    "free_bits": lambda: er.FreeBits(0.5, per="dimension"),
    "capacity": lambda: er.Capacity(10.0, er.Linear(0.0, 5.0, 10)),
    "constant": lambda: er.Constant(0.5),
    "linear": lambda: er.Linear(0.0, 1.0, 5),
    "logistic": lambda: er.Logistic(0.0, 1.0, centre=5, rate=0.5),
    "cyclical": lambda: er.Cyclical(0.0, 1.0, 5),
    "cosine": lambda: er.Cosine(1.0, 0.1, 5, warmup=2),
    "exponential": lambda: er.Exponential(1.0, 0.5),
    "mlp": lambda: mlp(SIZE, [5], 3, kind="residual", dropout=0.1),
    "one_hot": lambda: er.nets.OneHot(mlp(SIZE + 3, [], 2), [0, 3]),
    "joined": lambda: er.nets.Joined(mlp(5, [], 2), [mlp(SIZE, [], 3), nn.Identity()]),
    "identity": nn.Identity,
    "log1p": Log1p,
    "log_total": LogTotal,
    "table": lambda: Table(3, 2),
    "proportions": lambda: Proportions(mlp(DIM, [], SIZE), SIZE),
    "appended": lambda: Appended(mlp(SIZE, [], 2), Table(3, 2)),
    "activation": lambda: Activation("tanh"),
    "chain": lambda: er.nets.Chain([mlp(SIZE, [], 3), mlp(3, [], 2)]),
    "conv_encoder": lambda: er.nets.ConvEncoder((1, 6, 6), [2, 3], 4, hidden=5, residual=1),
    "conv_decoder": lambda: er.nets.ConvDecoder(DIM, [3, 2], (1, 6, 6), hidden=5, residual=1),
    "grid_encoder": lambda: GridEncoder((1, 4, 4), 4, 3, residual=1, inner=2),
    "grid_decoder": lambda: GridDecoder(3, 4, (1, 4, 4), residual=1, inner=2),
    "sequence_encoder": lambda: er.nets.SequenceEncoder(9, 4, 3, 5, dropout=0.1),
    "sequence_decoder": lambda: er.nets.SequenceDecoder(9, DIM, 3, 5, skip=True),
    "rescale": lambda: Rescale(0.0, 255.0),
    "standardise": lambda: Standardise(SIZE),
}


def batch(count: int = 8) -> dict[str, torch.Tensor]:
    """Data that every model of the table can read."""
    generator = torch.Generator().manual_seed(0)
    return {
        "x": torch.randint(0, 2, (count, SIZE), generator=generator).float(),
        "a": torch.randn(count, 3, generator=generator),
        "b": torch.randn(count, 4, generator=generator),
        "index": torch.arange(count),
    }
