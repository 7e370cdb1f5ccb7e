"""The single-cell model: the same numbers as scvi-tools, and what it is made of."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

import elbowroom as er
from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.evaluate.rates import rates
from elbowroom.gradients.location import Location
from elbowroom.random import seeded
from elbowroom.recipes.scvi import scvi
from oracles import scvi_reference
from oracles.scvi_weights import OPTIONS, model_of

FIXTURE = Path(__file__).parents[1] / "oracles" / "numbers" / "scvi_tools.npz"
INTERPRETER = "ELBOWROOM_SCVI_PYTHON"


def bounds(case: str, arrays: dict[str, np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return our per-cell ELBO at the posterior means, ours and theirs."""
    model = model_of(case, arrays)
    batch = {"x": torch.tensor(arrays["x"]), "batch": torch.tensor(arrays["batch"])}
    with torch.no_grad():
        ours = er.ELBO(gradient=Location())(model, batch, torch.zeros(())).metrics["bound"]
    torch.testing.assert_close(model.encode(batch)["z"], torch.tensor(arrays[f"{case}/latent"]))
    return ours, torch.tensor(arrays[f"{case}/elbo"])


@pytest.mark.parametrize("case", OPTIONS)
def test_the_same_weights_give_the_bounds_of_scvi_tools(case: str) -> None:
    """1e-4 nats a cell is asked for; what is left is the 1e-8 that scvi-tools adds in its logs."""
    with np.load(FIXTURE) as archive:
        ours, theirs = bounds(case, dict(archive))
    assert float(theirs.std()) > 5
    assert float((ours - theirs).abs().max()) < 2e-5


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETER not in os.environ, reason=f"{INTERPRETER}: Python with scvi-tools")
@pytest.mark.parametrize("case", OPTIONS)
def test_scvi_tools_itself_gives_these_bounds(case: str, tmp_path: Path) -> None:
    script, path = Path(scvi_reference.__file__), tmp_path / "numbers.npz"
    subprocess.run([os.environ[INTERPRETER], str(script), str(path)], check=True)
    with np.load(path) as archive:
        ours, theirs = bounds(case, dict(archive))
    assert float((ours - theirs).abs().max()) < 2e-5


def made(**options: object) -> tuple[er.Model, dict[str, torch.Tensor]]:
    splits = tiny("counts")
    with seeded(0):
        model = scvi(splits.spec, splits.train.columns, **options).model  # type: ignore[arg-type]
    return model.eval(), splits.train.batch(torch.arange(len(splits.train)))


def test_the_observed_library_is_the_cells_total() -> None:
    model, batch = made()
    draw = model.draw(batch, 3, er.Pathwise())
    p = model.likelihood.condition(draw.scope)["x"]
    totals = batch["x"].sum(1)
    torch.testing.assert_close(p.rate.sum(-1), totals.expand(3, -1))
    assert set(draw.sites) == {"z"}
    assert set(model.conditions) == {"log_l", "batch"}


def test_the_latent_library_starts_at_the_moments_of_its_batch() -> None:
    model, batch = made(library="latent")
    totals = batch["x"].sum(1).log()
    p = model.prior.condition({"batch": torch.tensor([[0, 1]])})["log_l"]
    for k in range(2):
        own = totals[batch["batch"] == k]
        torch.testing.assert_close(p.mean[0, k, 0], own.mean())
        torch.testing.assert_close(p.scale[0, k, 0], own.std(correction=0))
    assert set(model.draw(batch, 2, er.Pathwise()).sites) == {"z", "log_l"}


@pytest.mark.parametrize("library", ["observed", "latent"])
@pytest.mark.parametrize("likelihood", ["zinb", "nb", "poisson"])
@pytest.mark.parametrize("dispersion", ["entry", "shared", "batch", "network", 2.0])
def test_every_choice_learns(library: str, likelihood: str, dispersion: str | float) -> None:
    model, batch = made(library=library, likelihood=likelihood, dispersion=dispersion)
    loss = er.ELBO()(model, batch, torch.zeros(()))
    loss.total.backward()
    assert loss.total.isfinite()
    for p in model.parameters():
        assert p.numel() > 0
        assert p.grad is not None
        assert bool(p.grad.isfinite().all())


def test_a_dispersion_by_batch_is_the_batchs_own() -> None:
    model, batch = made(dispersion="batch")
    table = model.likelihood.sites["x"].net.net.other
    table.rows.data = torch.tensor([[-1.0], [2.0]]).expand(2, 12).clone()
    p = model.likelihood.condition(model.draw(batch, 1, er.Pathwise()).scope)["x"]
    expected = torch.where(batch["batch"] == 0, -1.0, 2.0).unsqueeze(1).expand(-1, 12)
    torch.testing.assert_close(p.log_theta[0], expected)


def test_normalised_expression_has_no_library_and_one_batch() -> None:
    model, batch = made()
    own = rates(model, batch)
    close = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(own.sum(1), batch["x"].sum(1).double(), **close)
    for k in (0, 1):
        shares = rates(model, batch, {"log_l": 0.0, "batch": k})
        torch.testing.assert_close(shares.sum(1), torch.ones(len(own)).double(), **close)
        here = batch["batch"] == k
        scaled = own / own.sum(1, keepdim=True)
        torch.testing.assert_close(shares[here], scaled[here], rtol=1e-4, atol=1e-6)
        assert float((shares - scaled)[~here].abs().max()) > 1e-4
    blurred = rates(model, batch, {"log_l": 0.0}, mean=True)
    assert bool((blurred < rates(model, batch, {"log_l": 0.0})).all())
    with pytest.raises(UserError, match="unknown condition 'library'"):
        rates(model, batch, {"library": 0.0})


def test_cells_are_drawn_for_given_sizes_and_batches() -> None:
    model, _ = made()
    given = {"log_l": torch.full((2000, 1), 5.0), "batch": torch.zeros(2000, dtype=torch.long)}
    with torch.no_grad():
        model.likelihood.sites["x"].net.net.net.layers[-1].bias[12:] = -20.0  # no excess zeros
    cells = model.sample(2000, given, seed=0)["x"]
    assert cells.shape == (2000, 12)
    total = cells.sum(1)
    assert abs(float(total.mean()) - np.exp(5.0)) < 4 * float(total.std()) / 2000**0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"likelihood": "normal"}, "unknown likelihood 'normal'"),
        ({"library": "known"}, "unknown library 'known'"),
        ({"dispersion": "batch", "condition": "none"}, "the data have no batches"),
        ({"condition": "plate"}, "unknown class column 'plate'"),
        ({"norm": "group"}, "unknown normalisation 'group'"),
    ],
)
def test_what_it_refuses(options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        made(**options)
