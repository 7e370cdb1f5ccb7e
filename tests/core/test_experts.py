"""Products and mixtures of experts: exact where they are, and blind to what is absent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm
from small import gradients, linear
from torch import Tensor

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.evaluate.particles import Sampling
from elbowroom.gradients.pathwise import DoublyReparameterised
from elbowroom.posteriors.experts import MixtureOfExperts, MixtureOfProducts, ProductOfExperts
from elbowroom.priors.standard import Learned
from elbowroom.random import seeded
from elbowroom.shapes import as_scope
from oracles.linear_gaussian import LinearGaussian

pytestmark = pytest.mark.usefixtures("double")
STEP = torch.tensor(0.0)
X, WEIGHT, SCALE = (0.4, -1.1), (0.8, -1.3), (0.5, 0.9)
TRUTH = LinearGaussian(np.array([[0.8], [-1.3]]), np.zeros(2), np.array([0.25, 0.81]))
VIEWS = ("a", "b")


def expert(view: int) -> er.Conditional:
    """``N(z; x/w, (s/w)²)``: what one view alone says of z, without the prior."""
    weight, scale = WEIGHT[view], SCALE[view]
    net = linear(np.array([[1 / weight], [0.0]]), np.array([0.0, math.log(scale / abs(weight))]))
    return er.Conditional(net, er.Gaussian(1), VIEWS[view])


def likelihood() -> er.Product:
    return er.Product(
        {
            name: er.Conditional(
                linear(np.array([[WEIGHT[i]]]), np.zeros(1)), er.Gaussian(1, scale=SCALE[i]), "z"
            )
            for i, name in enumerate(VIEWS)
        }
    )


def experts() -> dict[str, er.Conditional]:
    return {name: expert(i) for i, name in enumerate(VIEWS)}


def two_views() -> dict[str, Tensor]:
    return {name: torch.tensor([[X[i]]]) for i, name in enumerate(VIEWS)}


def log_evidence(names: tuple[str, ...]) -> float:
    kept = [VIEWS.index(name) for name in names]
    covariance = TRUTH.covariance[np.ix_(kept, kept)]
    return float(multivariate_normal(np.zeros(len(kept)), covariance).logpdf(np.array(X)[kept]))


def test_product_is_the_exact_posterior_of_both_views() -> None:
    q = ProductOfExperts(experts())(as_scope(two_views()))
    assert q.mean.item() == pytest.approx(0.539356, abs=5e-7)
    assert q.variance.item() == pytest.approx(0.177103, abs=5e-7)
    mean, covariance = TRUTH.posterior(np.array([X]))
    assert q.mean.item() == pytest.approx(mean.item(), rel=1e-12)
    assert q.variance.item() == pytest.approx(covariance.item(), rel=1e-12)


@pytest.mark.parametrize("names", [("a",), ("b",), ("a", "b")])
def test_weights_of_the_product_are_the_evidence_of_every_subset(names: tuple[str, ...]) -> None:
    """Under the exact posterior every particle has the weight p(x)."""
    model = er.Model(er.StandardNormal(1), likelihood(), ProductOfExperts(experts()))
    batch = {name: value for name, value in two_views().items() if name in names}
    with seeded(0):
        draw = model.draw(batch, 7, Sampling())
    log_w = sum(model.log_likelihood(draw.scope).values()) - draw.log_ratio
    np.testing.assert_allclose(log_w.detach().numpy(), log_evidence(names), rtol=1e-12)


def test_absent_by_mask_is_absent_by_name() -> None:
    both = {name: value.expand(3, 1) for name, value in two_views().items()}
    masks = {
        "a.mask": torch.tensor([True, False, True]),
        "b.mask": torch.tensor([True, True, False]),
    }
    dirty = {n: torch.where(masks[f"{n}.mask"][:, None], v, math.nan) for n, v in both.items()}
    q = ProductOfExperts(experts())(as_scope({**dirty, **masks}))
    for row, names in enumerate([("a", "b"), ("b",), ("a",)]):
        alone = ProductOfExperts(experts())(as_scope({n: both[n][:1] for n in names}))
        torch.testing.assert_close(q.mean[:, row], alone.mean[:, 0])
        torch.testing.assert_close(q.variance[:, row], alone.variance[:, 0])


def test_product_of_nothing_is_the_prior() -> None:
    q = ProductOfExperts(experts())({"other": torch.zeros(1, 4, 2)})
    assert q.batch_shape == (1, 4)
    assert q.mean.abs().max() == 0
    assert (q.variance == 1).all()


def test_other_densities_have_no_product_here() -> None:
    laplace = er.Conditional(er.nets.MLP(1, [], 2), er.Laplace(1), "a")
    with pytest.raises(UserError, match="Gaussian"):
        ProductOfExperts({"a": laplace})(as_scope(two_views()))


def with_prior() -> dict[str, er.Conditional]:
    """Experts that are exact on their own: ``p(z|x_m)``."""
    found = {}
    for i, name in enumerate(VIEWS):
        precision = 1 + (WEIGHT[i] / SCALE[i]) ** 2
        slope = WEIGHT[i] / SCALE[i] ** 2 / precision
        net = linear(np.array([[slope], [0.0]]), np.array([0.0, -0.5 * math.log(precision)]))
        found[name] = er.Conditional(net, er.Gaussian(1), name)
    return found


def test_mixture_is_never_exact_with_two_informative_views() -> None:
    model = er.Model(er.StandardNormal(1), likelihood(), MixtureOfExperts(with_prior()))
    batch = {name: value.expand(20_000, 1) for name, value in two_views().items()}
    with seeded(0), torch.no_grad():
        bound = er.ELBO(4)(model, batch, STEP).metrics["bound"]
    gap = log_evidence(VIEWS) - bound.mean()
    # KL(mixture ‖ exact posterior), by quadrature.
    grid = np.linspace(-8, 8, 20_001)
    mean, covariance = TRUTH.posterior(np.array([X]))
    exact = norm(mean.item(), covariance.item() ** 0.5).logpdf(grid)
    parts = []
    for i in range(2):
        precision = 1 + (WEIGHT[i] / SCALE[i]) ** 2
        centre = X[i] * WEIGHT[i] / SCALE[i] ** 2 / precision
        parts.append(norm(centre, precision**-0.5).logpdf(grid))
    mixture = np.logaddexp(*parts) - math.log(2)
    truth = np.trapezoid(np.exp(mixture) * (mixture - exact), grid)
    assert truth > 0.1
    assert abs(gap - truth) < 4 * bound.std() / len(bound) ** 0.5
    alone = {"a": batch["a"][:1]}
    draw = model.draw(alone, 5, Sampling())
    log_w = sum(model.log_likelihood(draw.scope).values()) - draw.log_ratio
    np.testing.assert_allclose(log_w.detach().numpy(), log_evidence(("a",)), rtol=1e-12)


def random_experts(own: bool) -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    found: dict[str, torch.nn.Module] = {}
    for name in ("a", "b", "c"):
        shared = er.Conditional(er.nets.MLP(1, [], 2), er.Gaussian(1), name)
        private = er.Conditional(er.nets.MLP(1, [], 2), er.Gaussian(1), name)
        found[name] = er.Product({"z": shared, f"own_{name}": private}) if own else shared
    return found


def three_views() -> dict[str, Tensor]:
    values = torch.tensor([[0.3, -1.0, 2.0], [1.5, 0.2, -0.4]])
    return {name: values[:, i : i + 1] for i, name in enumerate(("a", "b", "c"))}


@pytest.mark.parametrize("kind", [MixtureOfExperts, MixtureOfProducts])
def test_mixtures_integrate_to_one_and_know_their_parts(kind: type) -> None:
    posterior, scope = kind(random_experts(own=False)), as_scope(three_views())
    scope["b.mask"] = torch.tensor([[True, False]])
    grid = torch.linspace(-30, 30, 60_001)
    log_q = posterior.log_prob({"z": grid.view(-1, 1, 1)}, scope)
    torch.testing.assert_close(torch.trapezoid(log_q.exp(), grid, dim=0), torch.ones(2))
    there = {row: [n for n in "abc" if n != "b" or row == 0] for row in (0, 1)}
    for row, names in there.items():
        expected = parts_by_hand(posterior, scope, names, row, kind is MixtureOfProducts)
        np.testing.assert_allclose(
            log_q[::6000, row].detach(),
            np.log(np.mean(np.exp(expected(grid[::6000])), 0)),
            rtol=1e-9,
        )


def parts_by_hand(posterior, scope, names, row, products):  # type: ignore[no-untyped-def]
    """log densities of the components, from the experts' means and variances in numpy."""
    found = {n: posterior.experts[n]({n: scope[n][:, row : row + 1]}) for n in names}
    moments = {n: (q.mean.item(), q.variance.item()) for n, q in found.items()}
    masks = range(1, 2 ** len(names)) if products else [2**i for i in range(len(names))]

    def evaluate(grid: Tensor) -> np.ndarray:
        rows = []
        for mask in masks:
            chosen = [moments[n] for i, n in enumerate(names) if mask >> i & 1]
            precision = sum(1 / v for _, v in chosen) + (1 if products else 0)
            mean = sum(m / v for m, v in chosen) / precision
            rows.append(norm(mean, precision**-0.5).logpdf(grid.numpy()))
        return np.array(rows)

    return evaluate


def learned(mean: float, log_scale: float) -> Learned:
    part = Learned(er.Gaussian(1))
    with torch.no_grad():
        part.output.copy_(torch.tensor([[mean, log_scale]]))
    return part


@pytest.mark.parametrize("auxiliary", [False, True])
@pytest.mark.parametrize("kind", [MixtureOfExperts, MixtureOfProducts])
def test_private_latents_where_they_are_not_inferred(kind: type, auxiliary: bool) -> None:
    parts = random_experts(own=True)
    prior = er.Product({n: er.StandardNormal(1) for n in ("z", "own_a", "own_b", "own_c")})
    given = {"own_a": learned(0.4, -1.0), "own_b": learned(-0.3, -0.5)} if auxiliary else None
    posterior, batch = kind(parts, "z", prior, given), {n: three_views()[n] for n in ("a", "c")}
    stands: dict[str, Any] = dict(prior.sites)
    if given is not None:  # b is not in scope, so that nothing of it is to be explained
        stands["own_a"] = given["own_a"]
    scope = as_scope(batch)
    with seeded(0):
        draw = posterior.draw(scope, 3, Sampling(), lambda scope: torch.zeros(()))
    assert set(draw.sites) == {"z", "own_a", "own_b", "own_c"}
    joint = sum(site.log_q for site in draw.sites.values())
    values = {name: site.value for name, site in draw.sites.items()}
    groups = [("a",), ("c",)] + [("a", "c")] * (kind is MixtureOfProducts)
    assert draw.measure.strata == len(groups)
    terms = []
    for group in groups:
        found = {n: parts[n].condition(scope) for n in group}  # type: ignore[operator]
        if kind is MixtureOfProducts:
            z = ProductOfExperts({n: parts[n].sites["z"] for n in group})(scope)  # type: ignore[index,union-attr]
        else:
            z = found[group[0]]["z"]
        term = z.log_prob(values["z"])
        for name in ("a", "b", "c"):
            site = f"own_{name}"
            q = found[name][site] if name in group else stands[site]({})
            term = term + q.log_prob(values[site])
        terms.append(term)
    expected = torch.stack(terms).logsumexp(0) - math.log(len(groups))
    torch.testing.assert_close(joint, expected)
    torch.testing.assert_close(posterior.log_prob(values, scope), expected)


def test_an_auxiliary_distribution_leaves_the_bound_a_bound() -> None:
    """x_a = z + u_a + noise, x_b likewise: ``log p(x)`` is that of a Gaussian."""
    names = ("a", "b")
    prior = er.Product({n: er.StandardNormal(1) for n in ("z", "own_a", "own_b")})
    given = {f"own_{n}": learned(0.2, -1.0) for n in names}
    experts = {n: random_experts(own=True)[n] for n in names}
    add = er.nets.MLP(2, [], 1)
    with torch.no_grad():
        add.layers[0].weight.fill_(1.0)
        add.layers[0].bias.zero_()
    family = er.Gaussian(1, scale=0.5)
    joined = {n: er.nets.Joined(add, [torch.nn.Identity()] * 2) for n in names}
    likelihood = er.Product(
        {n: er.Conditional(joined[n], family, ("z", f"own_{n}")) for n in names}
    )
    model = er.Model(prior, likelihood, MixtureOfExperts(experts, "z", prior, given))
    x = torch.tensor([[0.3, -1.0]])
    covariance = np.ones((2, 2)) + np.diag([1.25, 1.25])
    exact = multivariate_normal(np.zeros(2), covariance).logpdf(x[0].numpy())
    batch = {n: x[:, i : i + 1].expand(4000, 1) for i, n in enumerate(names)}
    with seeded(0), torch.no_grad():
        draw = model.draw(batch, 50, Sampling())
        log_w = sum(model.log_likelihood(draw.scope).values()) - draw.log_ratio
        bound = er.ELBO(1)(model, batch, STEP).metrics["bound"]
        estimate = (log_w + draw.measure.log).logsumexp(0).exp() / math.exp(exact)
    assert bound.mean() + 4 * bound.std() / len(bound) ** 0.5 < exact
    assert abs(estimate.mean() - 1) < 4 * estimate.std() / len(estimate) ** 0.5


def test_an_auxiliary_distribution_is_of_a_private_latent() -> None:
    prior = er.Product({n: er.StandardNormal(1) for n in ("z", "own_a", "own_b", "own_c")})
    with pytest.raises(UserError, match="own_a"):
        MixtureOfExperts(random_experts(own=True), "z", prior, {"own_d": learned(0.0, 0.0)})


def test_private_latents_need_the_prior() -> None:
    with pytest.raises(UserError, match="own_a"):
        MixtureOfExperts(random_experts(own=True))


def test_no_modality_at_all_is_an_error() -> None:
    with pytest.raises(UserError, match="a, b"):
        MixtureOfExperts(experts()).components({"other": torch.zeros(1, 1, 1)})


def overlapping(weight: float = 0.7) -> er.Model:
    """Two linear experts that overlap, and a linear model that neither fits."""
    nets = [np.array([[0.5], [0.1]]), np.array([[-0.4], [0.2]])]
    views = {
        name: er.Conditional(linear(nets[i], np.array([0.3, -0.2])), er.Gaussian(1), name)
        for i, name in enumerate(VIEWS)
    }
    return er.Model(er.StandardNormal(1), likelihood(), MixtureOfExperts(views))


def mean_gradient(objective: er.IWAE, repeats: int = 40) -> tuple[Tensor, Tensor]:
    model, batch = overlapping(), {n: v.expand(600, 1) for n, v in two_views().items()}
    with seeded(0):
        found = torch.stack([gradients(objective, model, batch) for _ in range(repeats)])
    return found.mean(0), found.var(0) / repeats


@pytest.mark.parametrize(("samples", "biased"), [(1, False), (10, True)])
def test_dreg_of_a_mixture_is_biased_with_several_particles(samples: int, biased: bool) -> None:
    """Refused unless asked for by name; with one particle the dropped score has mean zero."""
    plain, plain_variance = mean_gradient(er.IWAE(samples, per_stratum=True))
    with pytest.raises(UserError, match="biased=True"):
        mean_gradient(er.IWAE(samples, DoublyReparameterised(), per_stratum=True))
    asked = er.IWAE(samples, DoublyReparameterised(biased=True), per_stratum=True)
    paper, paper_variance = mean_gradient(asked)
    z = ((plain - paper).abs() / (plain_variance + paper_variance + 1e-30).sqrt()).max()
    assert (z > 8) if biased else (z < 4)
