"""Flows: the density of what they draw, its mass, and both directions of their maps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.distributions.flow import Flow as FlowDistribution
from elbowroom.families.flow import KINDS, Flow
from elbowroom.random import seeded

every_kind = pytest.mark.parametrize("kind", KINDS)


def make(kind: str, dim: int = 3, context: int = 2, strength: float = 2.0) -> Flow:
    """A flow in float64, far from the identity by `strength` times the initial parameters."""
    with seeded(0):
        flow = Flow(dim, kind, transforms=3, hidden=(16,), context=context).double()
        for part in flow.warp.maps.modules():
            if isinstance(part, nn.Linear):
                part.reset_parameters()  # the last layers start near zero
        for parameter in flow.parameters():
            parameter.data.mul_(strength)
    return flow


def output(flow: Flow, *lead: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (torch.Size(lead).numel(), flow.size)
    return (0.7 * torch.randn(shape, generator=generator)).double().requires_grad_()


@every_kind
@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("dim", [1, 3])
def test_drawn_densities_are_the_scored_ones(kind: str, context: int, dim: int) -> None:
    flow = make(kind, dim, context)
    p = flow(output(flow, 2, 5), torch.Size((2, 5)))
    z, log_p = p.rsample_and_log_prob((4,))
    assert z.shape == (4, 2, 5, dim)
    assert log_p.shape == (4, 2, 5)
    torch.testing.assert_close(p.log_prob(z), log_p)


@every_kind
def test_density_is_the_determinant_of_the_jacobian(kind: str) -> None:
    """``log p(x) = log N(ε) - log |det dx/dε|`` with the determinant from autograd."""
    flow = make(kind)
    p = flow(output(flow, 1, 1), torch.Size((1, 1)))
    noise = torch.tensor([0.4, -1.1, 0.9], dtype=torch.float64)

    def draw(noise: Tensor) -> Tensor:
        straight = p.loc + p.log_scale.exp() * noise.view(1, 1, 3)
        return p.warp(straight, p.context, inverse=False)[0]

    jacobian = torch.autograd.functional.jacobian(draw, noise)
    standard = torch.distributions.Normal(0.0, 1.0).log_prob(noise).sum()
    truth = standard - torch.linalg.slogdet(jacobian.view(3, 3)).logabsdet
    torch.testing.assert_close(p.log_prob(draw(noise)).squeeze(), truth)


@every_kind
def test_density_has_mass_one(kind: str) -> None:
    flow = make(kind, dim=2, strength=1.0)
    p = flow(output(flow, 1, 1), torch.Size((1, 1)))
    with seeded(2), torch.no_grad():
        some = p.sample((4000,)).flatten(0, 2)
        axis = torch.linspace(-8, 8, 120, dtype=torch.float64)
        points = torch.cartesian_prod(axis, axis) * some.std(0) + some.mean(0)
        cell = (axis[1] - axis[0]).square() * some.std(0).prod()
        mass = p.log_prob(points.unsqueeze(0)).exp().sum() * cell
    assert mass.item() == pytest.approx(1.0, abs=1e-3)


@every_kind
def test_context_and_every_parameter_get_a_gradient(kind: str) -> None:
    flow = make(kind)
    numbers = output(flow, 1, 8)
    p = flow(numbers, torch.Size((1, 8)))
    value, log_p = p.rsample_and_log_prob()
    leaves = [numbers, *flow.parameters()]
    gradients = torch.autograd.grad((value.square().sum(-1) - log_p).sum(), leaves)
    assert all(g.isfinite().all() and g.abs().sum() > 0 for g in gradients)
    assert (gradients[0].abs() > 0).any(0).all()


@every_kind
def test_detached_holds_the_maps_parameters_too(kind: str) -> None:
    """The gradient left is the one through the value: sticking the landing."""
    flow = make(kind)
    p = flow(output(flow, 1, 4), torch.Size((1, 4)))
    z = p.sample().requires_grad_()
    log_p = p.detached().log_prob(z)
    torch.testing.assert_close(log_p, p.log_prob(z))
    leaves = [z, *flow.parameters()]
    first, *rest = torch.autograd.grad(log_p.sum(), leaves, allow_unused=True)
    assert first is not None
    assert all(gradient is None for gradient in rest)


def test_affine_flows_of_one_dimension_are_gaussians() -> None:
    flow = make("iaf", dim=1)
    p = flow(output(flow, 1, 1), torch.Size((1, 1)))
    with seeded(3), torch.no_grad():
        ends, _ = p.warp(torch.tensor([[[0.0]], [[1.0]]]).double(), p.context, inverse=False)
    slope = ends[1] - ends[0]
    truth = torch.distributions.Normal(ends[0] + slope * p.loc, slope * p.log_scale.exp())
    x = torch.linspace(-3, 3, 7, dtype=torch.float64).view(7, 1, 1, 1)
    torch.testing.assert_close(p.log_prob(x), truth.log_prob(x).squeeze(-1))


def test_expand_repeats_the_flow() -> None:
    flow = make("coupling")
    p = flow(output(flow, 1, 1), torch.Size((1, 1)))
    wide = p.expand((2, 5))
    assert isinstance(wide, FlowDistribution)
    x = wide.sample()
    assert x.shape == (2, 5, 3)
    torch.testing.assert_close(wide.log_prob(x), p.log_prob(x))


def test_importing_zuko_leaves_torch_as_it_was() -> None:
    """zuko switches off torch's checks of arguments for the whole process."""
    import subprocess
    import sys

    program = (
        "from torch.distributions import Distribution as D;"
        "before = D._validate_args, D.__dict__['arg_constraints'];"
        "from elbowroom.families.flow import Flow; Flow(2);"
        "import sys; assert 'zuko' in sys.modules;"
        "assert before == (D._validate_args, D.__dict__['arg_constraints'])"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert Distribution._validate_args
