"""Tables with holes through the command line: fitted by EM, filled by conditional means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from elbowroom.data import load
from elbowroom.evaluate.conditional import conditional
from elbowroom.train import run_folder
from elbowroom.workflow import plan
from elbowroom.workflow import run as workflow
from elbowroom.workflow.configuration import complete
from elbowroom.workflow.imputing import impute


@pytest.mark.parametrize(
    "model",
    [{"type": "fa"}, {"type": "gmm", "components": 2}],
    ids=["fa", "gmm"],
)
def test_a_table_with_holes_is_fitted_and_filled(model: dict[str, Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 1)) @ rng.normal(size=(1, 3)) + 0.5 * rng.normal(size=(60, 3))
    rows = [
        ["" if rng.random() < 0.2 else f"{v:.4f}" for v in row[:2]] + [f"{row[2]:.4f}"]
        for row in x
    ]
    table, out = tmp_path / "table.csv", tmp_path / "filled.csv"
    table.write_text("\n".join(["a,b,c", *(",".join(row) for row in rows)]) + "\n")
    request = {"seed": 0, "data": str(table), "model": model, "train": {"steps": 20}}
    workflow.fit(plan.make(complete(request)), tmp_path / "run", progress=False)
    impute(tmp_path / "run", str(table), out, samples=1)
    filled = np.genfromtxt(out, delimiter=",", skip_header=1)
    holed = np.genfromtxt(table, delimiter=",", skip_header=1)
    assert np.isfinite(filled).all()
    there = ~np.isnan(holed)
    np.testing.assert_array_equal(filled[there], holed[there])
    batch = {"x": torch.from_numpy(np.nan_to_num(holed)), "x.mask": torch.from_numpy(there)}
    found = conditional(run_folder.load(tmp_path / "run"), batch)["x"].mean.numpy()
    np.testing.assert_allclose(filled, found, atol=6e-5)  # as many digits as the column has
    assert load(str(table)).spec.missing > 0.05


@pytest.mark.parametrize("name", ["fa", "gmm", "miwae", "vae"])
def test_a_row_without_anything_is_filled_with_the_models_mean(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 1)) @ rng.normal(size=(1, 3)) + 0.5 * rng.normal(size=(60, 3)) + 3
    rows = [[f"{v:.4f}" for v in row] for row in x]
    rows = [",".join([*row[:2], "" if i % 5 else row[2]]) for i, row in enumerate(rows)]
    table, full = tmp_path / "table.csv", tmp_path / "full.csv"
    table.write_text("\n".join(["a,b,c", *rows]) + "\n")
    size = {} if name == "gmm" else {"latent_dim": 1}
    request = {"seed": 0, "data": str(table), "train": {"steps": 30}}
    request["model"] = {"type": name, **size}
    workflow.fit(plan.make(complete(request)), tmp_path / "run", progress=False)
    full.write_text("a,b,c\n1.0000,2.0000,3.0000\n,,\n2.0000,1.0000,0.0000\n")
    found = impute(tmp_path / "run", str(full), tmp_path / "filled.csv", samples=4000)
    assert (found["rows"], found["filled"]) == (3, 3)
    filled = np.genfromtxt(tmp_path / "filled.csv", delimiter=",", skip_header=1)[1]
    model = run_folder.load(tmp_path / "run")
    if name == "gmm":
        batch = {"x": torch.zeros(1, 3), "x.mask": torch.zeros(1, 3, dtype=torch.bool)}
        mean, spread = conditional(model, batch)["x"].mean[0].numpy(), np.zeros(3)
    else:
        nodes, weights = np.polynomial.hermite_e.hermegauss(60)
        decoded = model.decode({"z": torch.tensor(nodes).float().unsqueeze(1)})["x"].numpy()
        weights = weights / weights.sum()
        mean = weights @ decoded
        spread = np.sqrt(weights @ (decoded - mean) ** 2)
    error = 0 if name in ("fa", "gmm") else spread / found["effective_sample_size"] ** 0.5
    assert (np.abs(filled - mean) < 4 * error + 1e-3).all()
