"""Automatic differentiation variational inference of a user's own log joint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import nn

from elbowroom.arguments import positive, positive_number
from elbowroom.conditional import Product
from elbowroom.errors import UserError, unknown
from elbowroom.families.base import Family
from elbowroom.families.full_gaussian import FullGaussian
from elbowroom.families.location_scale import Gaussian
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.pathwise import StickingTheLanding
from elbowroom.inference.approximation import Approximation
from elbowroom.inference.columns import Columns, read
from elbowroom.inference.convergence import Plateau
from elbowroom.inference.log_joint import SITE, GlobalLikelihood, GlobalPrior, LogDensity, Term
from elbowroom.inference.parameters import Coordinates, Parameter
from elbowroom.inference.preflight import check_names, check_values
from elbowroom.inference.step_size import SEARCHED, search
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.posteriors.amortized import Amortized
from elbowroom.priors.standard import Learned
from elbowroom.train.fit import fit, pick_device
from elbowroom.train.settings import Settings

COVARIANCES = ("mean-field", "full-rank")
SETTINGS: dict[str, Any] = {
    "device": "cpu",  # where the tensors are that the user's functions close over
    "average": 0.99,
    "log_every": 10,
}
# A short memory of squares: those of the first steps are larger by orders of magnitude.
ADAM = {"betas": (0.9, 0.95)}


class ADVI:
    """``max_q E_q[log p(x, T(ζ)) + log |det ∂T/∂ζ|] + H[q]`` with a Gaussian q of ζ.

    Every parameter is mapped to real numbers, ``θ = T(ζ)``, and ``q(ζ) = N(μ, Σ)`` is fitted by
    reparameterised gradients: a model of one latent ζ, whose posterior is a table of one row,
    under the :class:`~elbowroom.objectives.elbo.ELBO`.

    The log joint is one function of all parameters and all data; or two, of which the second
    speaks of single rows. Then batches of M of the N rows may be drawn, ``log p(x|θ) ≈ (N/M) Σ_m
    log p(x_m|θ)``, and the gradient is doubly stochastic.

    The functions see one value of the parameters, in their own shapes, and are mapped over
    particles by `torch.func.vmap`. Their arguments are names of parameters and columns. They
    return nats, constants included if the evidence is to be one.

    Args:
        log_joint: ``log p(x, θ)`` of all data, a number.
        parameters: shape and support of every parameter, by name.
        log_prior: ``log p(θ)``, a number; with `log_likelihood`, instead of `log_joint`.
        log_likelihood: ``log p(x_m|θ)`` of every row at hand, ``(M,)``.
        covariance: ``"mean-field"``: Σ is diagonal; ``"full-rank"``: any.
        samples: particles of each step, S.
        gradient: how the expectation is differentiated; None is
            :class:`~elbowroom.gradients.pathwise.StickingTheLanding`, which is without noise
            where q is the posterior. :class:`~elbowroom.gradients.pathwise.Pathwise` is the
            paper's.
        scale: standard deviation of ζ at the start.

    Raises:
        UserError: not one log joint or two factors; a parameter is misdescribed; names clash.

    References:
        Automatic Differentiation Variational Inference (arXiv:1603.00788).
        Doubly Stochastic Variational Bayes for non-Conjugate Inference (Titsias, Lázaro-Gredilla
        2014).

    Example:
        >>> import torch, elbowroom as er
        >>> from torch.distributions import Beta, Bernoulli
        >>> def log_joint(chance, heads):
        ...     return Beta(1.0, 1.0).log_prob(chance) + Bernoulli(chance).log_prob(heads).sum()
        >>> advi = er.ADVI(log_joint, {"chance": er.Parameter((), "unit_interval")})
        >>> found = advi.fit({"heads": torch.tensor([1.0, 1.0, 0.0, 1.0])}, steps=400)
        >>> abs(found.mean["chance"].item() - 4 / 6) < 0.02
        True
    """

    def __init__(
        self,
        log_joint: LogDensity | None = None,
        parameters: Mapping[str, Parameter] | None = None,
        *,
        log_prior: LogDensity | None = None,
        log_likelihood: LogDensity | None = None,
        covariance: str = "mean-field",
        samples: int = 10,
        gradient: Gradient | None = None,
        scale: float = 0.1,
    ) -> None:
        if covariance not in COVARIANCES:
            raise UserError(f"covariance={covariance!r}: give one of {', '.join(COVARIANCES)}")
        positive_number("scale", scale)
        positive("samples", samples)
        whole = log_joint is not None and log_prior is None and log_likelihood is None
        parts = log_joint is None and log_prior is not None and log_likelihood is not None
        if not (whole or parts):
            raise UserError("give log_joint, or log_prior and log_likelihood, and nothing else")
        self.log_joint, self.parameters = log_joint, parameters
        self.log_prior, self.log_likelihood = log_prior, log_likelihood
        self.covariance, self.samples, self.gradient = covariance, samples, gradient
        self.scale = scale
        self.coordinates = Coordinates(parameters or {})
        self.prior_term = None if log_prior is None else Term(log_prior, "log_prior")
        self.term = (
            Term(log_joint, "log_joint")
            if log_joint is not None
            else Term(log_likelihood, "log_likelihood")  # type: ignore[arg-type]
        )

    def model(self, data: Mapping[str, Any]) -> Model:
        """Return the model of some data: `fit`, `init` and `step` take it as any other.

        Args:
            data: tensors or arrays by name, ``(N, *event)`` each for a log likelihood of rows,
                of any shape for a log joint.

        Raises:
            UserError: a name that a function asks for is missing, or nothing asks for it.
        """
        columns = self.columns(data)
        check_names(self.coordinates, self.prior_term, self.term, columns.columns)
        count = None if self.prior_term is None else len(columns)
        likelihood = GlobalLikelihood(self.coordinates, self.term, tuple(columns.columns), count)
        prior = GlobalPrior(self.coordinates, self.prior_term)
        posterior = Amortized(Product({SITE: self.posterior()}))
        return Model(Product({SITE: prior}), likelihood, posterior)

    def columns(self, data: Mapping[str, Any]) -> Columns:
        """Return the data as rows; for a log joint, all of them are one row."""
        return read(data, whole=self.prior_term is None)

    def posterior(self) -> nn.Module:
        """Return ``N(μ, Σ)`` at the start: μ where the parameters start, Σ = scale² I."""
        size, log_scale = self.coordinates.size, math.log(self.scale)
        family: Family = Gaussian(size) if self.covariance == "mean-field" else FullGaussian(size)
        q = Learned(family)
        with torch.no_grad():
            q.output[0, :size] = self.coordinates.start()
            if isinstance(family, FullGaussian):
                family.raw.fill_diagonal_(log_scale)
            else:
                q.output[0, size:] = log_scale
        return q

    @property
    def objective(self) -> ELBO:
        """The bound; an estimator that asks for the KL term's formula has that of the entropy."""
        gradient = StickingTheLanding() if self.gradient is None else self.gradient
        form = "entropy" if gradient.closed_form else "sampled"
        return ELBO(samples=self.samples, gradient=gradient, form=form)

    def fit(
        self,
        data: Mapping[str, Any],
        *,
        steps: int = 20_000,
        batch_size: int | None = None,
        learning_rate: Any = 0.05,
        stop: Plateau | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> Approximation:
        """Fit q and return it.

        Args:
            data: tensors or arrays by name; see :meth:`model`.
            steps: most updates.
            batch_size: rows of each step, M; None is all of them.
            learning_rate: at the start; or a schedule, which is then followed to the last step;
                or ``"search"``, with ``optimizer="root-decay"``: the paper's, that one of 100, 10,
                1, 0.1, 0.01 whose bound is highest after 50 steps.
            stop: when the rate is lowered and the fit is over; None is :class:`Plateau`.
            seed: seeds noise and the order of rows.
            **settings: as of :func:`~elbowroom.train.fit.fit`. Other than there, the device is
                the CPU, the parameters are averaged, and Adam has ``betas=(0.9, 0.95)``.

        Raises:
            UserError: data or functions that do not fit, or that are not finite at the start.
        """
        if batch_size is not None and self.prior_term is None:
            raise UserError(
                "batch_size needs a log likelihood of single rows: give log_prior and "
                "log_likelihood instead of log_joint"
            )
        if settings.get("out") is not None:
            raise UserError(
                f"out={settings['out']!r}: a run folder rebuilds its model from a configuration, "
                "which functions of your own are not in; save the draws of the result instead"
            )
        refuse(settings, stop, seed)
        settings = with_defaults(settings) | {"batch_size": batch_size, "seed": seed}
        if learning_rate == "search":
            quiet = {**settings, "callbacks": ()}
            learning_rate = search(
                lambda size: self.fit(data, steps=SEARCHED, learning_rate=size, **quiet)
            )
        device = pick_device(settings["device"])
        columns, model = self.columns(data).to(device), self.model(data).to(device)
        whole = columns.batch(torch.arange(len(columns)))
        check_values(model, whole, self.coordinates.start())
        stop = Plateau() if stop is None else stop
        rule = () if callable(learning_rate) else (stop,)
        settings["callbacks"] = [*settings.get("callbacks", ()), *rule]
        settings["batch_size"] = len(columns) if batch_size is None else batch_size
        rates = {"steps": steps, "learning_rate": learning_rate}
        history = fit(model, columns, self.objective, **rates, **settings)
        converged = stop.converged if rule else None
        return Approximation(model, self.coordinates, whole, history, converged, seed)


def refuse(settings: Mapping[str, Any], stop: Any, seed: Any) -> None:
    """Raise `UserError` for a setting there is not, and for what is no rule or no seed."""
    known = {one.name for one in fields(Settings)} | {"out", "overwrite", "callbacks", "describe"}
    for name in settings:
        if name not in known:
            raise unknown("setting", name, known)
    if stop is not None and not isinstance(stop, Plateau):
        raise UserError(f"stop={stop!r}: give a rule such as Plateau(window=20), or nothing")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UserError(f"seed={seed!r}: it is a whole number")


def with_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fill settings up; options are those of Adam, and of no other optimiser."""
    adam = settings.get("optimizer", "adam") == "adam"
    return {**SETTINGS, **({"optimizer_options": ADAM} if adam else {}), **settings}
