"""Standardised data: statistics, and densities in the data's own units."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from elbowroom.families.location_scale import Gaussian, StudentT
from elbowroom.families.standardised import Standardised
from elbowroom.nets.standardise import Standardise


@pytest.fixture
def table() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(50, 3, generator=generator)
    return noise * torch.tensor([1e-3, 1.0, 40.0]) + torch.tensor([5.0, 0.0, -300.0])


def test_fit_takes_mean_and_standard_deviation(table: torch.Tensor) -> None:
    affine = Standardise(3).fit(table)
    assert affine.loc.numpy() == pytest.approx(table.double().mean(0).numpy(), rel=1e-6)
    assert affine.scale.numpy() == pytest.approx(table.double().numpy().std(0), rel=1e-6)
    y = affine(table)
    assert y.mean(0).abs().max() < 1e-3
    assert y.std(0, correction=0).numpy() == pytest.approx(np.ones(3), rel=1e-3)


def test_constant_columns_keep_their_unit() -> None:
    affine = Standardise(2).fit(torch.tensor([[0.1, 1.0], [0.1, 3.0], [0.1, 5.0]]))
    assert affine.scale[0] == 1.0
    assert affine(torch.tensor([[0.1, 3.0]])).abs().max() < 1e-6


def test_absent_entries_are_left_out(table: torch.Tensor) -> None:
    present = torch.ones_like(table, dtype=torch.bool)
    present[:20, 1] = False
    spoiled = torch.where(present, table, torch.nan)
    affine, rest = Standardise(3).fit(spoiled, present), Standardise(3).fit(table[20:])
    assert affine.loc[1] == pytest.approx(rest.loc[1].item())
    assert affine.scale[1] == pytest.approx(rest.scale[1].item())


def test_statistics_are_saved_and_not_learned(table: torch.Tensor) -> None:
    affine = Standardise(3).fit(table)
    again = Standardise(3)
    again.load_state_dict(affine.state_dict())
    assert torch.equal(again(table), affine(table))
    assert not list(affine.parameters())


def test_log_likelihood_is_of_the_original_data(table: torch.Tensor) -> None:
    """A Gaussian of y is a Gaussian of x with other parameters: the Jacobian by scipy."""
    affine = Standardise(3).fit(table).double()
    family = Standardised(Gaussian(3).double(), affine)
    output = torch.tensor([[0.3, -1.0, 2.0, -0.5, 0.1, 0.7]], dtype=torch.float64)
    p = family(output, torch.Size((1, 1)))
    m, s = affine.loc.numpy(), affine.scale.numpy()
    truth = stats.norm(m + s * output[0, :3].numpy(), s * np.exp(output[0, 3:].numpy()))
    x = table.double()
    entries = p.entry_log_prob(x.unsqueeze(0))[0].numpy()
    assert entries == pytest.approx(truth.logpdf(x.numpy()), rel=1e-9)
    total = p.log_prob(x.unsqueeze(0))[0].numpy()
    assert total == pytest.approx(truth.logpdf(x.numpy()).sum(1), rel=1e-9)
    assert p.mean[0, 0].numpy() == pytest.approx(truth.mean())
    assert p.variance[0, 0].numpy() == pytest.approx(truth.var())
    assert p.entropy().item() == pytest.approx(truth.entropy().sum())


def test_a_change_of_units_changes_nats_by_its_logarithm(table: torch.Tensor) -> None:
    output = torch.randn(50, 6, generator=torch.Generator().manual_seed(1))
    total = [
        Standardised(StudentT(3), Standardise(3).fit(k * table))(output, torch.Size((1, 50)))
        .log_prob(k * table.unsqueeze(0))
        .sum()
        .item()
        for k in (1.0, 1000.0)
    ]
    assert total[0] - total[1] == pytest.approx(50 * 3 * np.log(1000.0), rel=1e-4)
