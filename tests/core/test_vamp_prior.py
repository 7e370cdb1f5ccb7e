"""The VampPrior, a mixture of posteriors: scipy, quadrature, the aggregate posterior."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from small import diagonal_encoder, linear, z_score
from torch import Tensor

import elbowroom as er
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.distributions.laplace import Laplace
from elbowroom.distributions.mixture import Mixture
from elbowroom.errors import UserError
from elbowroom.evaluate.latent import mixture_log_prob
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.random import seeded

SIZE, DIM = 4, 2


def prior_of(components: int, dim: int = DIM, bounds: list[float] | None = None) -> er.VampPrior:
    """A prior whose pseudo-inputs are spread out."""
    prior = er.VampPrior(diagonal_encoder(SIZE, dim), SIZE, components, bounds)
    with seeded(1), torch.no_grad():
        prior.raw.normal_()
    return prior


def by_scipy(kind: type, components: Gaussian | Laplace, value: Tensor) -> Tensor:
    """``log (1/K) Σ_k Π_d p_kd(z_d)`` term by term."""
    density = {Gaussian: stats.norm, Laplace: stats.laplace}[kind]
    loc, scale = components.loc[0].numpy(), components.scale[0].numpy()
    each = density.logpdf(value.numpy()[..., None, :], loc, scale).sum(-1)
    return torch.from_numpy(np.logaddexp.reduce(each, -1) - np.log(len(loc)))


@pytest.mark.parametrize("kind", [Gaussian, Laplace])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 2e-5)])
def test_mixture_density_is_the_mean_of_its_components(
    kind: type, dtype: torch.dtype, bound: float
) -> None:
    """In float32 too, with scales as small as encoders make them."""
    generator = torch.Generator().manual_seed(0)
    loc = torch.randn(1, 50, 8, generator=generator, dtype=torch.float64)
    log_scale = -2.5 * torch.rand(1, 50, 8, generator=generator, dtype=torch.float64)
    value = torch.randn(3, 5, 8, generator=generator, dtype=torch.float64)
    value[0] = loc[0, :5] + 0.1 * value[0]
    truth = by_scipy(kind, kind(loc, log_scale), value)
    ours = Mixture(kind(loc.to(dtype), log_scale.to(dtype))).log_prob(value.to(dtype))
    assert ours.shape == (3, 5)
    torch.testing.assert_close(ours.double(), truth, atol=bound, rtol=1e-5 * bound)


@pytest.mark.parametrize("log_scale", [-1.0, -5.0, -7.0, -9.0])
def test_narrow_components_far_apart_lose_nothing_in_float32(log_scale: float) -> None:
    """Squares of distances in units of σ are far above what float32 can hold the difference of."""
    with seeded(2):
        loc = 5.0 * torch.randn(1, 50, 16)
        value = loc[:, :40] + float(np.exp(log_scale)) * torch.randn(1, 40, 16)
    components = Gaussian(loc, torch.full_like(loc, log_scale))
    wide = Gaussian(loc.double(), components.log_scale.double())
    found = Mixture(components).log_prob(value)
    known = by_scipy(Gaussian, wide, value.double())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), known, rtol=1e-6, atol=1e-5)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("dim", [1, 2])
def test_prior_has_mass_one(dim: int) -> None:
    p = prior_of(5, dim)({})
    axis = torch.linspace(-30, 30, 1201)
    points = axis.unsqueeze(1) if dim == 1 else torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        mass = p.log_prob(points.unsqueeze(0)).exp().sum() * (axis[1] - axis[0]) ** dim
    assert mass.item() == pytest.approx(1.0, abs=1e-6)


def test_samples_are_the_mixtures() -> None:
    """Mean, and the shares of two components far apart."""
    loc = torch.tensor([[[-20.0], [-20.0], [20.0]]])
    p = Mixture(Gaussian(loc, torch.zeros(()))).expand((1, 7))
    with seeded(3):
        z = p.sample((3000,))
    assert z.shape == (3000, 1, 7, 1)
    right = (z > 0).float().flatten()
    assert z_score(right, 1 / 3) < 4
    assert z_score(z.flatten(), -20 / 3) < 4
    torch.testing.assert_close(p.mean, torch.full((1, 7, 1), -20 / 3))


@pytest.mark.usefixtures("double")
def test_one_pseudo_input_under_a_constant_encoder_is_the_standard_prior() -> None:
    """Identity 3-E, for the density and for a bound with the same noise."""
    encoder = er.Conditional(
        linear(np.zeros((2 * DIM, SIZE)), np.zeros(2 * DIM)), er.Gaussian(DIM), "x"
    )
    decoder = er.Conditional(er.nets.MLP(DIM, [5], SIZE), er.Bernoulli(SIZE), "z")
    x = {"x": torch.randint(2, (6, SIZE), generator=torch.Generator().manual_seed(0)).double()}
    losses = []
    for prior in (er.VampPrior(encoder, SIZE, 1, [0, 1]), er.StandardNormal(DIM)):
        value = torch.linspace(-3, 3, 12).view(2, 3, DIM)
        truth = torch.distributions.Normal(0.0, 1.0).log_prob(value).sum(-1)
        torch.testing.assert_close(prior({}).log_prob(value), truth)
        posterior = diagonal_encoder(SIZE, DIM)
        with seeded(0):
            losses.append(
                er.ELBO(form="sampled")(er.Model(prior, decoder, posterior), x, torch.zeros(()))
            )
    torch.testing.assert_close(losses[0].total, losses[1].total)


@pytest.mark.usefixtures("double")
def test_data_as_pseudo_inputs_make_it_the_aggregate_posterior() -> None:
    posterior = diagonal_encoder(SIZE, DIM)
    x = torch.randn(20, SIZE, generator=torch.Generator().manual_seed(0))
    prior = er.VampPrior(posterior, SIZE, 20).fit(x)
    torch.testing.assert_close(prior.pseudo_inputs().sort(0).values, x.sort(0).values)
    decoder = er.Conditional(er.nets.MLP(DIM, [5], SIZE), er.Gaussian(SIZE), "z")
    model = er.Model(prior, decoder, posterior)
    with seeded(0), torch.no_grad():
        draw = model.draw({"x": x}, 2, Pathwise())
        aggregate = mixture_log_prob(model, draw, {"x": x}, 0)
    torch.testing.assert_close(draw.sites["z"].log_p, aggregate)


def test_density_moves_pseudo_inputs_and_encoder() -> None:
    prior = prior_of(5, bounds=[0, 1])
    prior({}).log_prob(torch.ones(1, 1, DIM)).sum().backward()
    for parameter in prior.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0


def test_pseudo_inputs_start_near_data_and_stay_in_range() -> None:
    prior = prior_of(6, bounds=[0, 15])
    x = torch.randint(16, (3, SIZE), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    with seeded(0):
        prior.fit(x)
    distance = torch.cdist(prior.pseudo_inputs(), x.float(), p=float("inf")).amin(1)
    assert (distance <= 0.05 * 15 + 1e-4).all()
    with torch.no_grad():
        prior.raw.mul_(1e3)
    ends = prior.pseudo_inputs()
    assert ((ends >= 0) & (ends <= 15)).all()


def test_refuses_what_has_no_single_input() -> None:
    several = er.Conditional(er.nets.MLP(SIZE + 1, [], 2 * DIM), er.Gaussian(DIM), ("x", "y"))
    with pytest.raises(UserError, match="one variable"):
        er.VampPrior(several, SIZE)
    with pytest.raises(UserError, match="low < high"):
        er.VampPrior(diagonal_encoder(SIZE, DIM), SIZE, bounds=[1, 1])
