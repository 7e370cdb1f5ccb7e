"""Names for configurable types, in one literal table; `register` adds a user's own."""

from __future__ import annotations

from importlib import import_module

from elbowroom.errors import UserError, unknown

# The name is what a configuration says; the place is where the class stands, imported when asked.
TYPES: dict[str, str] = {
    "model": "elbowroom.model:Model",
    "conditional": "elbowroom.conditional:Conditional",
    "product": "elbowroom.conditional:Product",
    # priors
    "standard_normal": "elbowroom.priors.standard:StandardNormal",
    "learned": "elbowroom.priors.standard:Learned",
    "uniform_codes": "elbowroom.priors.standard:UniformCodes",
    "codes": "elbowroom.priors.codes:Codes",
    "mixture_prior": "elbowroom.priors.mixture:MixturePrior",
    "vamp_prior": "elbowroom.priors.vamp:VampPrior",
    "markov_chain": "elbowroom.priors.chain:MarkovChain",
    "pairwise_energy": "elbowroom.priors.poise:PairwiseEnergy",
    "top_down": "elbowroom.priors.top_down:TopDown",
    # posteriors
    "amortized": "elbowroom.posteriors.amortized:Amortized",
    "mixture_of_experts": "elbowroom.posteriors.experts:MixtureOfExperts",
    "mixture_of_products": "elbowroom.posteriors.experts:MixtureOfProducts",
    "product_of_experts": "elbowroom.posteriors.experts:ProductOfExperts",
    "quantized": "elbowroom.posteriors.quantized:Quantized",
    "gaussian_noise": "elbowroom.posteriors.corruption:GaussianNoise",
    "masking": "elbowroom.posteriors.corruption:Masking",
    "salt_and_pepper": "elbowroom.posteriors.corruption:SaltAndPepper",
    "walkback": "elbowroom.posteriors.walkback:Walkback",
    "prior_draws": "elbowroom.posteriors.prior_draws:PriorDraws",
    "per_datum": "elbowroom.posteriors.per_datum:PerDatum",
    "ladder": "elbowroom.posteriors.ladder:Ladder",
    "bayes": "elbowroom.posteriors.bayes:Bayes",
    "exact": "elbowroom.posteriors.exact:Exact",
    "exact_views": "elbowroom.posteriors.exact_views:ExactViews",
    "tilted": "elbowroom.posteriors.tilted:Tilted",
    "semi_amortised": "elbowroom.posteriors.semi_amortised:SemiAmortised",
    "hamiltonian": "elbowroom.posteriors.hamiltonian:Hamiltonian",
    "langevin": "elbowroom.posteriors.langevin:Langevin",
    # families
    "bernoulli": "elbowroom.families.bernoulli:Bernoulli",
    "gaussian": "elbowroom.families.location_scale:Gaussian",
    "laplace": "elbowroom.families.location_scale:Laplace",
    "student_t": "elbowroom.families.location_scale:StudentT",
    "categorical": "elbowroom.families.categorical:Categorical",
    "categorical_codes": "elbowroom.families.categorical:CategoricalCodes",
    "poisson": "elbowroom.families.poisson:Poisson",
    "negative_binomial": "elbowroom.families.negative_binomial:NegativeBinomial",
    "zero_inflated_negative_binomial": (
        "elbowroom.families.negative_binomial:ZeroInflatedNegativeBinomial"
    ),
    "words": "elbowroom.families.words:Words",
    "multinomial": "elbowroom.families.words:Multinomial",
    "continuous_bernoulli": "elbowroom.families.continuous_bernoulli:ContinuousBernoulli",
    "discretized_logistic": "elbowroom.families.discretized_logistic:DiscretizedLogistic",
    "discretized_logistic_mixture": (
        "elbowroom.families.discretized_logistic:DiscretizedLogisticMixture"
    ),
    "components": "elbowroom.families.components:Components",
    "full_gaussian": "elbowroom.families.full_gaussian:FullGaussian",
    "delta": "elbowroom.families.delta:Delta",
    "flow": "elbowroom.families.flow:Flow",
    "pixelcnn": "elbowroom.families.pixelcnn:PixelCNN",
    "standardised": "elbowroom.families.standardised:Standardised",
    "tokens": "elbowroom.families.tokens:Tokens",
    # gradients
    "pathwise": "elbowroom.gradients.pathwise:Pathwise",
    "sticking_the_landing": "elbowroom.gradients.pathwise:StickingTheLanding",
    "doubly_reparameterised": "elbowroom.gradients.pathwise:DoublyReparameterised",
    "score_function": "elbowroom.gradients.score:ScoreFunction",
    "vimco": "elbowroom.gradients.vimco:VIMCO",
    "covariance": "elbowroom.gradients.covariance:Covariance",
    "leave_one_out": "elbowroom.gradients.score:LeaveOneOut",
    "network_baseline": "elbowroom.gradients.score:Network",
    "nvil": "elbowroom.gradients.nvil:NVIL",
    "running_mean": "elbowroom.gradients.moments:RunningMean",
    "optimal_constant": "elbowroom.gradients.moments:OptimalConstant",
    "mu_prop": "elbowroom.gradients.mu_prop:MuProp",
    "rebar": "elbowroom.gradients.rebar:REBAR",
    "relax": "elbowroom.gradients.rebar:RELAX",
    "arm": "elbowroom.gradients.disarm:ARM",
    "disarm": "elbowroom.gradients.disarm:DisARM",
    "gumbel_softmax": "elbowroom.gradients.relaxed:GumbelSoftmax",
    "straight_through": "elbowroom.gradients.relaxed:StraightThrough",
    "enumerate": "elbowroom.gradients.enumerate:Enumerate",
    "cubature": "elbowroom.gradients.cubature:Cubature",
    "location": "elbowroom.gradients.location:Location",
    # objectives
    "elbo": "elbowroom.objectives.elbo:ELBO",
    "iwae": "elbowroom.objectives.iwae:IWAE",
    "multiple_iwae": "elbowroom.objectives.multiple:MultipleIWAE",
    "ciwae": "elbowroom.objectives.multiple:CIWAE",
    "piwae": "elbowroom.objectives.multiple:PIWAE",
    "renyi": "elbowroom.objectives.renyi:Renyi",
    "thermodynamic_variational": "elbowroom.objectives.thermodynamic:ThermodynamicVariational",
    "adversarial": "elbowroom.objectives.adversarial:Adversarial",
    "vae_gan": "elbowroom.objectives.vae_gan:VAEGAN",
    "wake_sleep": "elbowroom.objectives.wake_sleep:WakeSleep",
    "penalised": "elbowroom.objectives.penalties:Penalised",
    "classification": "elbowroom.objectives.classification:Classification",
    "expectation_maximisation": "elbowroom.objectives.em:ExpectationMaximisation",
    "principal_components": "elbowroom.objectives.principal:PrincipalComponents",
    "canonical_correlation": "elbowroom.objectives.canonical:CanonicalCorrelation",
    "subsets": "elbowroom.objectives.subsets:Subsets",
    "free_bits": "elbowroom.objectives.kl_rules:FreeBits",
    "capacity": "elbowroom.objectives.kl_rules:Capacity",
    "reweighted_wake_sleep": "elbowroom.objectives.reweighted_wake_sleep:ReweightedWakeSleep",
    # inference
    "joint_inference": "elbowroom.inference.joint:JointInference",
    "alternating_inference": "elbowroom.inference.alternating:AlternatingInference",
    "per_datum_inference": "elbowroom.inference.per_datum:PerDatumInference",
    "wake_sleep_inference": "elbowroom.inference.wake_sleep:WakeSleepInference",
    "reweighted_wake_sleep_inference": (
        "elbowroom.inference.wake_sleep:ReweightedWakeSleepInference"
    ),
    "semi_amortised_inference": "elbowroom.inference.refined:SemiAmortisedInference",
    "hamiltonian_inference": "elbowroom.inference.refined:HamiltonianInference",
    "langevin_inference": "elbowroom.inference.refined:LangevinInference",
    "naive_monte_carlo_inference": (
        "elbowroom.inference.naive_monte_carlo:NaiveMonteCarloInference"
    ),
    # schedules
    "constant": "elbowroom.schedules:Constant",
    "linear": "elbowroom.schedules:Linear",
    "logistic": "elbowroom.schedules:Logistic",
    "cyclical": "elbowroom.schedules:Cyclical",
    "cosine": "elbowroom.schedules:Cosine",
    "exponential": "elbowroom.schedules:Exponential",
    # networks
    "mlp": "elbowroom.nets.mlp:MLP",
    "chain": "elbowroom.nets.mlp:Chain",
    "activation": "elbowroom.nets.activations:Activation",
    "one_hot": "elbowroom.nets.one_hot:OneHot",
    "joined": "elbowroom.nets.joined:Joined",
    "identity": "torch.nn.modules.linear:Identity",
    "log1p": "elbowroom.nets.log1p:Log1p",
    "log_total": "elbowroom.nets.log1p:LogTotal",
    "table": "elbowroom.nets.table:Table",
    "proportions": "elbowroom.nets.proportions:Proportions",
    "appended": "elbowroom.nets.proportions:Appended",
    "conv_encoder": "elbowroom.nets.conv:ConvEncoder",
    "conv_decoder": "elbowroom.nets.conv:ConvDecoder",
    "grid_encoder": "elbowroom.nets.grids:GridEncoder",
    "grid_decoder": "elbowroom.nets.grids:GridDecoder",
    "sequence_encoder": "elbowroom.nets.recurrent:SequenceEncoder",
    "sequence_decoder": "elbowroom.nets.recurrent:SequenceDecoder",
    "rescale": "elbowroom.nets.rescale:Rescale",
    "normalise": "elbowroom.nets.normalise:Normalise",
    "restore": "elbowroom.nets.squash:Restore",
    "squash": "elbowroom.nets.squash:Squash",
    "standardise": "elbowroom.nets.standardise:Standardise",
}
_OWN: dict[str, type] = {}


def register(name: str, cls: type) -> type:
    """Give a class of your own a name, so that it can be configured and saved.

    Its constructor stores every argument under its own name.

    Raises:
        UserError: the name is taken.

    Example:
        >>> import torch, elbowroom as er
        >>> class Scale(torch.nn.Module):
        ...     def __init__(self, by: float) -> None:
        ...         super().__init__()
        ...         self.by = by
        ...     def forward(self, x):
        ...         return self.by * x
        >>> _ = er.register("doc_scale", Scale)
        >>> er.build(er.to_config(Scale(2.0))).by
        2.0
    """
    if name in TYPES or _OWN.get(name, cls) is not cls:
        raise UserError(f"the name {name!r} is taken; choose another")
    _OWN[name] = cls
    return cls


def names() -> list[str]:
    """Return every name that a configuration may use."""
    return [*TYPES, *_OWN]


def class_of(name: str, place: str = "") -> type:
    """Return the class of a name.

    Raises:
        UserError: there is none; `place` says where it was asked for.
    """
    if isinstance(name, str) and name in _OWN:
        return _OWN[name]
    if not isinstance(name, str) or name not in TYPES:
        error = unknown("type", str(name), names())
        raise UserError(
            f"{place + ': ' if place else ''}{error} Your own: er.register(name, cls)."
        )
    module, cls = TYPES[name].split(":")
    return getattr(import_module(module), cls)


def name_of(cls: type) -> str:
    """Return the name of a class.

    Raises:
        UserError: it is not registered.
    """
    where = f"{cls.__module__}:{cls.__qualname__}"
    for name, place in TYPES.items():
        if place == where:
            return name
    for name, own in _OWN.items():
        if own is cls:
            return name
    raise UserError(
        f"{cls.__name__} has no name in configurations, so it cannot be saved; give it one with "
        f"er.register({cls.__name__.lower()!r}, {cls.__name__})"
    )
