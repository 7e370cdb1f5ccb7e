"""Gradients of log densities and of samples against finite differences and quadrature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from density_cases import CASES, Case
from scipy import integrate, stats
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.continuous_bernoulli import ContinuousBernoulli
from elbowroom.distributions.delta import Delta
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.distributions.laplace import Laplace
from elbowroom.distributions.standardised import Standardised
from elbowroom.distributions.student_t import StudentT
from elbowroom.random import seeded


def fields_of(case: Case, dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
    """Return a case's values and its fields, ``(1, N, ...)``, as leaves that want a gradient."""
    value, *fields = (torch.as_tensor(c, dtype=dtype).unsqueeze(0) for c in case.grid())
    return value, [field.requires_grad_() for field in fields]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_log_prob_gradient_matches_finite_differences(case: Case) -> None:
    """Every field, at rows whose numbers are moderate enough for a difference quotient."""
    value, fields = fields_of(case, torch.float64)
    with torch.no_grad():
        sizes = [case.build(*fields).log_prob(value) / 10, *fields]
        moderate = torch.stack(
            [x.abs().flatten(2).amax(-1) if x.dim() > 2 else x.abs() for x in sizes]
        )
        rows = (moderate < 5).all(0)[0].nonzero()[:40, 0]
    value = value[:, rows]
    fields = [field.detach()[:, rows].requires_grad_() for field in fields]
    assert value.shape[1] >= 5
    assert torch.autograd.gradcheck(
        lambda *fields: case.build(*fields).log_prob(value), tuple(fields), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gradients_are_finite_over_the_whole_grid(case: Case, dtype: torch.dtype) -> None:
    value, fields = fields_of(case, dtype)
    gradients = torch.autograd.grad(case.build(*fields).log_prob(value).sum(), fields)
    assert all(gradient.isfinite().all() for gradient in gradients)


def leaf(*values: float) -> Tensor:
    return torch.tensor([[values]], dtype=torch.float64, requires_grad=True)


AFFINE = torch.tensor([3.0, 0.1]).double(), torch.tensor([2.0, 0.5]).double()
PATHWISE: dict[str, tuple[Callable[..., Distribution], tuple[Tensor, ...]]] = {
    "gaussian": (Gaussian, (leaf(0.3, -1.0), leaf(0.5, -2.0))),
    "laplace": (Laplace, (leaf(0.3, -1.0), leaf(0.5, -2.0))),
    "student_t": (
        lambda loc, log_scale: StudentT(loc, log_scale, torch.tensor(4.0).double()),
        (leaf(0.3, -1.0), leaf(0.5, -2.0)),
    ),
    "continuous_bernoulli": (ContinuousBernoulli, (leaf(-30.0, -0.11, -0.09, 1e-3, 0.5, 7.0),)),
    "delta": (Delta, (leaf(0.3, -1.0),)),
    "standardised": (
        lambda loc, log_scale: Standardised(Gaussian(loc, log_scale), *AFFINE),
        (leaf(0.3, -1.0), leaf(0.5, -2.0)),
    ),
}


@pytest.mark.parametrize("name", PATHWISE)
def test_samples_are_differentiable_in_the_parameters(name: str) -> None:
    build, fields = PATHWISE[name]

    def sample(*fields: Tensor) -> Tensor:
        with seeded(5):
            return build(*fields).rsample((4,))

    assert torch.autograd.gradcheck(sample, fields, atol=1e-5, rtol=1e-4)


def test_continuous_bernoulli_samples_are_differentiable_in_float32() -> None:
    logits = torch.linspace(-90, 90, 361).view(1, 1, -1).requires_grad_()
    with seeded(5):
        x = ContinuousBernoulli(logits).rsample((200,))
    (gradient,) = torch.autograd.grad(x.sum(), logits)
    assert gradient.isfinite().all()
    assert (gradient >= 0).all()


def test_student_t_degrees_of_freedom_learn_through_samples() -> None:
    """``d/dν E[log(1 + x²)]``: the sampled gradient against a difference of quadratures."""

    def truth(df: float) -> float:
        p = stats.t(df)
        return 2 * integrate.quad(lambda x: p.pdf(x) * np.log1p(x * x), 0, np.inf)[0]

    df, zero = torch.tensor(3.0, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    each = df.expand(1, 40_000).clone().requires_grad_()
    with seeded(3):
        x = StudentT(zero.expand(1, 40_000), zero, each, event_dims=0).rsample()
    (gradient,) = torch.autograd.grad(x.square().log1p().sum(), each)
    z = (gradient.mean() - (truth(3.01) - truth(2.99)) / 0.02) / (gradient.std() / 200)
    assert abs(z.item()) < 4
