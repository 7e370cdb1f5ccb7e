"""The laws every density obeys: entries sum to data, fields broadcast, batches permute."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from elbowroom.distributions.base import Factorised, Shell
from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.distributions.categorical import CategoricalCodes, OneHotCategorical
from elbowroom.distributions.continuous_bernoulli import ContinuousBernoulli
from elbowroom.distributions.delta import Delta
from elbowroom.distributions.discretized_logistic import (
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
)
from elbowroom.distributions.gaussian import Gaussian, StandardGaussian
from elbowroom.distributions.laplace import Laplace
from elbowroom.distributions.negative_binomial import (
    NegativeBinomial,
    ZeroInflatedNegativeBinomial,
)
from elbowroom.distributions.poisson import Poisson
from elbowroom.distributions.standardised import Standardised
from elbowroom.distributions.student_t import StudentT

EVENT = (3, 2)


def field(*shape: int) -> Tensor:
    """A field ``(S, B, *shape)`` with S and B read off the first two axes."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator).double().requires_grad_()


def entries(*lead: int) -> Tensor:
    return field(*lead, *EVENT)


def df() -> Tensor:
    return torch.tensor(4.0, dtype=torch.float64, requires_grad=True)


# From the leading shape (S, B) to a density with that batch shape and two event axes.
SHELLS: dict[str, Callable[..., Shell]] = {
    "bernoulli": lambda *lead: Bernoulli(entries(*lead), 2),
    "gaussian": lambda *lead: Gaussian(entries(*lead), entries(*lead) / 2, 2),
    "gaussian_shared_scale": lambda *lead: Gaussian(entries(*lead), df().log(), 2),
    "gaussian_entry_scale": lambda *lead: Gaussian(entries(*lead), field(*EVENT), 2),
    "standard_gaussian": lambda *lead: StandardGaussian(entries(*lead).detach() * 0, event_dims=2),
    "laplace": lambda *lead: Laplace(entries(*lead), entries(*lead) / 2, 2),
    "student_t": lambda *lead: StudentT(entries(*lead), field(*EVENT), df(), 2),
    "one_hot": lambda *lead: OneHotCategorical(entries(*lead), 2),
    "codes": lambda *lead: CategoricalCodes(field(*lead, 5, *EVENT), 2),
    "poisson": lambda *lead: Poisson(entries(*lead), 2),
    "negative_binomial": lambda *lead: NegativeBinomial(entries(*lead), entries(*lead), 2),
    "zero_inflated": lambda *lead: ZeroInflatedNegativeBinomial(
        entries(*lead), df().log(), entries(*lead), 2
    ),
    "continuous_bernoulli": lambda *lead: ContinuousBernoulli(entries(*lead), 2),
    "levels": lambda *lead: DiscretizedLogistic(entries(*lead), entries(*lead), 16, 2),
    "mixture": lambda *lead: DiscretizedLogisticMixture(
        *(field(*lead, 4, *EVENT) for _ in range(3)), levels=16, event_dims=2
    ),
    "delta": lambda *lead: Delta(entries(*lead), 2),
    "standardised": lambda *lead: Standardised(
        Gaussian(entries(*lead), df().log(), 2),
        entries().detach(),
        entries().detach().exp(),
    ),
}


def every_shell(*but: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [name for name in SHELLS if name not in but])


@every_shell()
def test_shapes(name: str) -> None:
    p = SHELLS[name](2, 5)
    x = p.sample()
    assert p.batch_shape == (2, 5)
    assert p.event_shape == EVENT
    assert x.shape == (2, 5, *EVENT)
    assert p.sample((7,)).shape == (7, 2, 5, *EVENT)
    assert p.log_prob(x).shape == (2, 5)
    assert p.log_prob(p.sample((7,))).shape == (7, 2, 5)
    assert p.log_prob(x).dtype == torch.float64


@every_shell("one_hot")
def test_entries_sum_to_the_log_density(name: str) -> None:
    p = SHELLS[name](2, 5)
    assert isinstance(p, Factorised)
    x = p.sample()
    parts = p.entry_log_prob(x)
    assert parts.shape == (2, 5, *EVENT)
    torch.testing.assert_close(parts.sum((-2, -1)), p.log_prob(x))


@every_shell("standard_gaussian")
def test_data_without_particles_broadcast(name: str) -> None:
    """Observed data enter with S = 1 against particles S, and the other way round.

    The standard Gaussian has no parameters to broadcast and scores data as they come.
    """
    p, single = SHELLS[name](4, 5), SHELLS[name](1, 5)
    x = single.sample()
    each = torch.stack([p.log_prob(x.expand(4, 5, *EVENT))[s] for s in range(4)])
    torch.testing.assert_close(p.log_prob(x), each)
    many = p.sample()
    one_by_one = torch.cat([single.log_prob(many[s : s + 1]) for s in range(4)])
    torch.testing.assert_close(single.log_prob(many), one_by_one)


@every_shell()
def test_expand_repeats_the_density(name: str) -> None:
    p = SHELLS[name](1, 1)
    wide = p.expand((3, 5))
    assert type(wide) is type(p)
    assert wide.batch_shape == (3, 5)
    x = wide.sample()
    assert x.shape == (3, 5, *EVENT)
    torch.testing.assert_close(wide.log_prob(x), p.log_prob(x))


@every_shell("delta")
def test_samples_of_an_expanded_density_are_independent(name: str) -> None:
    x = SHELLS[name](1, 1).expand((1, 50)).sample()[0]
    assert len(x.flatten(1).unique(dim=0)) > 1


@every_shell()
def test_detached_scores_alike_without_a_graph(name: str) -> None:
    p = SHELLS[name](2, 5)
    x = p.sample()
    fixed = p.detached()
    assert not fixed.log_prob(x).requires_grad
    assert torch.equal(fixed.log_prob(x), p.log_prob(x))


@every_shell(
    "gaussian_shared_scale", "gaussian_entry_scale", "student_t", "zero_inflated", "standardised"
)
def test_permuting_the_data_permutes_the_densities(name: str) -> None:
    """Of all densities whose fields all have a batch axis."""
    p = SHELLS[name](2, 5)
    order = torch.tensor([3, 1, 4, 0, 2])
    x = p.sample()
    permuted = p.map(lambda tensor: tensor[:, order]).log_prob(x[:, order])
    torch.testing.assert_close(permuted, p.log_prob(x)[:, order])


@every_shell()
def test_moments_have_the_shape_of_the_data(name: str) -> None:
    p = SHELLS[name](2, 5)
    for moment in ("mean", "mode", "variance"):
        try:
            value = getattr(p, moment)
        except NotImplementedError:
            continue
        assert value.shape == (2, 5, *EVENT), moment


def test_printing_names_the_shapes() -> None:
    assert repr(SHELLS["poisson"](2, 5)) == "Poisson(batch=(2, 5), event=(3, 2))"
