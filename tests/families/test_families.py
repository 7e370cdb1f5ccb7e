"""Families: sizes, where the scale comes from, supports, configuration round trips."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from elbowroom.config import build, to_config
from elbowroom.errors import UserError
from elbowroom.families.base import Family
from elbowroom.families.bernoulli import Bernoulli
from elbowroom.families.categorical import Categorical, CategoricalCodes
from elbowroom.families.continuous_bernoulli import ContinuousBernoulli
from elbowroom.families.delta import Delta
from elbowroom.families.discretized_logistic import (
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
)
from elbowroom.families.flow import Flow
from elbowroom.families.location_scale import Gaussian, Laplace, LocationScale, StudentT
from elbowroom.families.poisson import Poisson
from elbowroom.families.standardised import Standardised
from elbowroom.nets.standardise import Standardise
from elbowroom.random import seeded

PICTURE = (3, 4, 4)
FAMILIES: dict[str, Callable[[], Family]] = {
    "bernoulli": lambda: Bernoulli(PICTURE),
    "gaussian": lambda: Gaussian(PICTURE),
    "gaussian_fixed": lambda: Gaussian(6, scale=0.3),
    "laplace_shared": lambda: Laplace(6, "shared"),
    "student_t": lambda: StudentT(6, "shared", "entry", 0.01),
    "student_t_network": lambda: StudentT(6, "network", minimum=0.01),
    "categorical": lambda: Categorical(5),
    "categoricals": lambda: Categorical(5, shape=(2, 3)),
    "label": lambda: CategoricalCodes((), 5),
    "codes": lambda: CategoricalCodes((4, 4), 5),
    "poisson": lambda: Poisson(6),
    "continuous_bernoulli": lambda: ContinuousBernoulli(PICTURE),
    "levels": lambda: DiscretizedLogistic(PICTURE, scale="shared"),
    "mixture": lambda: DiscretizedLogisticMixture(PICTURE, components=3, levels=16),
    "delta": lambda: Delta(6),
    "standardised": lambda: Standardised(Laplace(6), Standardise(6)),
    "flow": lambda: Flow(4, "coupling", hidden=[8], context=3),
}
every_family = pytest.mark.parametrize("name", FAMILIES)


def output_of(family: Family, rows: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, family.size, generator=generator).requires_grad_()


@every_family
def test_shapes_support_and_gradients(name: str) -> None:
    with seeded(0):
        family = FAMILIES[name]()
        output = output_of(family, 10)
        p = family(output, torch.Size((2, 5)))
        x = p.sample()
    assert p.batch_shape == (2, 5)
    assert x.shape == (2, 5, *family.event)
    family.check(x[0])
    log_p = p.log_prob(x)
    assert log_p.shape == (2, 5)
    if name != "delta":
        leaves = [output, *family.parameters()]
        gradients = torch.autograd.grad(log_p.sum(), leaves)
        assert all(g.isfinite().all() and g.abs().sum() > 0 for g in gradients)


@every_family
def test_round_trip_through_a_configuration(name: str) -> None:
    with seeded(0):
        family = FAMILIES[name]()
        again = build(to_config(family))
    again.load_state_dict(family.state_dict())
    assert to_config(again) == to_config(family)
    output = output_of(family, 10)
    with seeded(1):
        x = family(output, torch.Size((2, 5))).sample()
    before = family(output, torch.Size((2, 5))).log_prob(x)
    assert torch.equal(again(output, torch.Size((2, 5))).log_prob(x), before)


@pytest.mark.parametrize(
    "name", [name for name, make in FAMILIES.items() if make().event == PICTURE]
)
def test_pictures_come_in_blocks_of_channels(name: str) -> None:
    """A convolution's output ``(N, k·C, H, W)`` and the same numbers flat are one thing."""
    family = FAMILIES[name]()
    flat = output_of(family, 10)
    picture = flat.view(10, -1, *PICTURE[1:])
    with seeded(0):
        x = family(flat, torch.Size((2, 5))).sample()
    one = family(flat, torch.Size((2, 5))).log_prob(x)
    assert torch.equal(family(picture, torch.Size((2, 5))).log_prob(x), one)


def test_the_first_block_is_the_location() -> None:
    family = Gaussian((2, 1, 1))
    output = torch.tensor([[10.0, 20.0, -1.0, -2.0]])
    p = family(output, torch.Size((1, 1)))
    assert p.mean.flatten().tolist() == [10.0, 20.0]
    assert p.variance.flatten().log().tolist() == pytest.approx([-2.0, -4.0])


@pytest.mark.parametrize("cls", [Gaussian, Laplace, DiscretizedLogistic])
@pytest.mark.parametrize("scale", ["network", "shared", "entry", 0.25])
@pytest.mark.parametrize("minimum", [0.0, 0.5])
def test_where_the_scale_comes_from(
    cls: type[LocationScale], scale: str | float, minimum: float
) -> None:
    family = cls((2, 3), scale=scale, minimum=minimum)
    output = torch.zeros(4, family.size)
    if scale == "network":
        output[:, 6:] = -2.0
    elif isinstance(scale, str):
        nn.init.constant_(family.log_scale, -2.0)
    p = family(output, torch.Size((2, 2)))
    learned = math.exp(-2.0) + minimum
    expected = learned if isinstance(scale, str) else 0.25
    assert p.scale.expand(2, 2, 2, 3).flatten().tolist() == pytest.approx([expected] * 24)
    count = {"shared": 1, "entry": 6}.get(scale, 0) if isinstance(scale, str) else 0
    assert sum(q.numel() for q in family.parameters()) == count
    assert family.size == (12 if scale == "network" else 6)


def test_degrees_of_freedom() -> None:
    fixed, learned = StudentT(1, 3.0, 1.0), StudentT(1, "shared", 1.0)
    x = torch.tensor([[[2.0]]])
    for family, df in ((fixed, 3.0), (learned, 5.0)):
        p = family(torch.zeros(1, 1), torch.Size((1, 1)))
        assert p.log_prob(x).item() == pytest.approx(stats.t.logpdf(2.0, df), rel=1e-6)
    assert [name for name, _ in learned.named_parameters()] == ["log_df"]
    assert not list(fixed.parameters())


def test_zero_output_is_mid_grey() -> None:
    family = DiscretizedLogistic(4)
    p = family(torch.zeros(1, family.size), torch.Size((1, 1)))
    assert p.mean.flatten().tolist() == pytest.approx([127.5] * 4)


REFUSED: dict[str, tuple[Callable[[], Family], Tensor, str]] = {
    "grey under a Bernoulli": (lambda: Bernoulli(2), torch.tensor([[0.0, 0.5]]), "Binarise"),
    "missing": (lambda: Bernoulli(2), torch.tensor([[0.0, torch.nan]]), "is nan"),
    "pixel under a Bernoulli": (
        lambda: Bernoulli(2),
        torch.tensor([[0, 255]], dtype=torch.uint8),
        "is 255",
    ),
    "infinite": (lambda: Gaussian(2), torch.tensor([[1.0, torch.inf]]), "is inf"),
    "negative count": (lambda: Poisson(2), torch.tensor([[3, -1]]), "is -1"),
    "half a count": (lambda: Poisson(2), torch.tensor([[3.0, 1.5]]), "is 1.5"),
    "infinite count": (lambda: Poisson(2), torch.tensor([[3.0, torch.inf]]), "is inf"),
    "pixel as grey": (lambda: ContinuousBernoulli(2), torch.tensor([[0.0, 7.0]]), "divide"),
    "grey as pixel": (lambda: DiscretizedLogistic(2), torch.tensor([[0.0, 0.5]]), "0 to 255"),
    "level too many": (
        lambda: DiscretizedLogisticMixture(2, levels=16),
        torch.tensor([[0, 16]]),
        "0 to 15",
    ),
    "class too many": (lambda: CategoricalCodes(2, 4), torch.tensor([[0, 4]]), "0 to 3"),
    "two-hot": (lambda: Categorical(3), torch.tensor([[1.0, 1.0, 0.0]]), "single 1"),
    "soft": (lambda: Categorical(2), torch.tensor([[1.0, 0.5]]), "single 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_outside_the_support_are_refused_by_place(case: str) -> None:
    make, value, words = REFUSED[case]
    with pytest.raises(UserError, match=words) as error:
        make().check(value, "pixels")
    assert "pixels[0" in str(error.value)


def test_the_first_entry_at_fault_is_named() -> None:
    value = torch.zeros(5, 2, 3)
    value[3, 1, 2], value[4, 0, 0] = 0.25, 0.75
    with pytest.raises(UserError, match=r"x\[3, 1, 2\] is 0.25"):
        Bernoulli((2, 3)).check(value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Gaussian(2, scale="net"),
        lambda: Gaussian(2, scale=0.0),
        lambda: StudentT(2, df="learned"),
        lambda: StudentT(2, df=-1.0),
        lambda: Categorical(1),
        lambda: CategoricalCodes(3, 0),
        lambda: DiscretizedLogistic(2, levels=1),
        lambda: Flow(2, kind="planar"),
        lambda: Standardised(Poisson(2), Standardise(2)),  # type: ignore[arg-type]
        lambda: Standardised(DiscretizedLogistic(2), Standardise(2)),
    ],
)
def test_wrong_arguments_are_refused(make: Callable[[], Family]) -> None:
    with pytest.raises(UserError):
        make()


@pytest.mark.parametrize("scale", ["network", "entry"])
def test_degrees_of_freedom_from_the_network(scale: str) -> None:
    """ν = 3 + softplus of the last output of each entry; location and scale come before it."""
    family = StudentT(2, df="network", scale=scale)
    assert family.size == (6 if scale == "network" else 4)
    output = torch.randn(5, family.size, generator=torch.Generator().manual_seed(1)).double()
    x = torch.linspace(-3, 3, 10).double().view(1, 5, 2)
    found = family.double()(output, torch.Size((1, 5))).entry_log_prob(x)[0]  # type: ignore[attr-defined]
    df = 3 + np.log1p(np.exp(output[:, -2:].numpy()))
    spread = np.exp(output[:, 2:4].numpy()) if scale == "network" else 1.0
    expected = stats.t.logpdf(x[0].numpy(), df, output[:, :2].numpy(), spread)
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-6)
