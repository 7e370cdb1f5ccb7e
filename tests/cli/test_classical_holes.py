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
