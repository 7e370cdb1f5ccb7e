"""Bijections from real vectors to supports: densities by automatic differentiation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint
from torch.distributions.utils import tril_matrix_to_vec

from elbowroom.inference.convergence import Plateau
from elbowroom.inference.parameters import Coordinates, Parameter


def whole(value: Tensor) -> Tensor:
    return value.flatten()


def without_last(value: Tensor) -> Tensor:
    return value[..., :-1].flatten()


def below(value: Tensor) -> Tensor:
    return value[tuple(torch.tril_indices(*value.shape, offset=-1))]


CASES: dict[str, tuple[Constraint | str, tuple[int, ...], object]] = {
    "real": ("real", (2, 2), whole),
    "positive": ("positive", (3,), whole),
    "unit": ("unit_interval", (3,), whole),
    "interval": (constraints.interval(-1.0, 3.0), (2,), whole),
    "above": (constraints.greater_than(2.0), (2,), whole),
    "simplex": ("simplex", (4,), without_last),
    "simplices": ("simplex", (2, 3), without_last),
    "factor": ("lower_cholesky", (3, 3), tril_matrix_to_vec),
    "correlation": ("corr_cholesky", (3, 3), below),
    "covariance": ("positive_definite", (3, 3), tril_matrix_to_vec),
}


@pytest.mark.parametrize(("support", "shape", "free"), CASES.values(), ids=list(CASES))
def test_volumes(support: Constraint | str, shape: tuple[int, ...], free: object) -> None:
    coordinates = Coordinates({"a": Parameter(shape, support)})
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(4, coordinates.size, generator=generator, dtype=torch.float64)
    values, volumes = coordinates.values(points)
    assert values["a"].shape == (4, *shape)
    assert bool(coordinates.blocks["a"].support.check(values["a"]).all())
    torch.testing.assert_close(coordinates.vector(values), points)
    for point, volume in zip(points, volumes):
        jacobian = torch.autograd.functional.jacobian(
            lambda z: free(coordinates.values(z[None])[0]["a"][0]),  # type: ignore[operator]
            point,
        )
        assert jacobian.shape == (coordinates.size, coordinates.size)
        torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, volume)


def test_parameters_share_one_vector() -> None:
    coordinates = Coordinates(
        {
            "weights": Parameter((2, 2), start=[[1.0, 2.0], [3.0, 4.0]]),
            "noise": Parameter((), "positive", start=2.5),
            "shares": Parameter(3, "simplex"),
        }
    )
    assert coordinates.size == 4 + 1 + 2
    values, volume = coordinates.values(coordinates.start()[None].repeat(5, 1))
    torch.testing.assert_close(values["weights"][4], torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    torch.testing.assert_close(values["noise"], torch.full((5,), 2.5))
    torch.testing.assert_close(values["shares"][0], torch.full((3,), 1 / 3))
    alone = [Coordinates({n: p}) for n, p in coordinates.parameters.items()]
    apart = sum(c.values(c.start()[None])[1] for c in alone)
    torch.testing.assert_close(volume[:1], apart)


class FakeLoop:
    """What a callback of the loop touches."""

    def __init__(self) -> None:
        self.groups = [{"lr": 1.0}]
        self.state = self.optimizer = self
        self.players = {"model": self}
        self.progress = self
        self.done = False

    @property
    def param_groups(self) -> list[dict[str, float]]:
        return self.groups


def test_a_rising_bound_keeps_the_rate_and_a_flat_one_ends_the_fit() -> None:
    noise = torch.randn(1000, generator=torch.Generator().manual_seed(0)).tolist()
    rising, flat = FakeLoop(), FakeLoop()
    climbing, resting = Plateau(window=10), Plateau(window=10)
    for step, error in enumerate(noise[:400]):
        climbing.on_log(rising, {"bound": step + error})
    assert rising.groups[0]["lr"] == 1.0
    assert not rising.done
    for error in noise:
        if not flat.done:
            resting.on_log(flat, {"bound": error})
    assert flat.done
    assert resting.converged
    assert 1e-3 <= flat.groups[0]["lr"] < 1e-2
