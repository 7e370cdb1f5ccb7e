"""Half of a table's cells removed at random, and filled again."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elbowroom.conditional import Conditional
from elbowroom.data import load
from elbowroom.data.dataset import Dataset
from elbowroom.data.spec import DataSpec
from elbowroom.evaluate.imputation import impute
from elbowroom.experiments.base import Bench, with_error
from elbowroom.families.location_scale import Gaussian
from elbowroom.model import Model
from elbowroom.nets.mlp import MLP
from elbowroom.objectives.elbo import ELBO
from elbowroom.plots.bars import compare_bars
from elbowroom.posteriors.exact import Exact
from elbowroom.priors.standard import StandardNormal
from elbowroom.random import seeded
from elbowroom.recipes.missing import miwae
from elbowroom.schedules import Cosine
from elbowroom.workflow import imputing

SEEDS, SHARE, STEPS, SAMPLES = 3, 0.5, 3000, 5000
PAPER = "arXiv:1812.02633, table 2"
PUBLISHED: dict[str, float | None] = {
    "MIWAE": 0.280,
    "random forests, one column by the others": 0.291,
    "probabilistic PCA": None,
    "linear regressions, one column by the others": None,
    "the column's mean": 1.00,
}


def run(bench: Bench) -> None:
    """Remove half of the cells of the breast-cancer table and measure what fills them."""
    spec, x = whole_table()
    errors: dict[str, list[float]] = {name: [] for name in PUBLISHED}
    for seed in range(bench.seed, bench.seed + (1 if bench.quick else SEEDS)):
        there = torch.rand(x.shape, generator=torch.Generator().manual_seed(1234 + seed)) > SHARE
        scaled, held = standardised(x, there)
        guesses = {
            "MIWAE": by_miwae(bench, held, spec, there, seed),
            "probabilistic PCA": by_components(bench, held, there, seed),
            **by_regressions(bench, held, there, seed),
            "the column's mean": torch.zeros_like(scaled),
        }
        for name, guess in guesses.items():
            errors[name].append(float((guess - scaled)[~there].square().mean()))
    report(bench, errors)
    by_command(bench, spec, x)


def whole_table() -> tuple[DataSpec, Tensor]:
    """Return all 569 rows of the table in their own units, ``(N, 30)``."""
    data = load("breast-cancer")
    parts = (data.train, data.validation, data.test)
    x = torch.cat([part.take(slice(None)).columns["x"] for part in parts])
    return replace(data.spec, n_train=len(x), missing=SHARE), x


def standardised(x: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """Return the table in standard units of all of its cells, and the same with holes at 0."""
    scaled = (x - x.mean(0)) / x.std(0, unbiased=False)
    return scaled, scaled.masked_fill(~there, 0.0)


def by_miwae(bench: Bench, held: Tensor, spec: DataSpec, there: Tensor, seed: int) -> Tensor:
    """Fit the recipe to what is there, and return its imputations."""
    columns = {"x": held, "x.mask": there}
    with seeded(seed):
        made = miwae(spec, columns)
    model, _ = bench.fit(
        f"miwae-{seed}",
        made.model,
        Dataset(columns),
        made.objective,
        **{**made.settings, "steps": bench.steps(STEPS), "seed": seed},
    )
    return impute(model, columns, samples=bench.count(SAMPLES), seed=seed)["x"].values


def by_components(bench: Bench, held: Tensor, there: Tensor, seed: int) -> Tensor:
    """Fit probabilistic PCA to what is there; under its exact posterior the bound is log p(x)."""
    size, dim, steps = held.shape[1], 5, bench.steps(600)
    with seeded(seed):
        likelihood = Conditional(MLP(dim, [], size), Gaussian(size, scale="shared"), "z")
    model = Model(StandardNormal(dim), likelihood, Exact(likelihood, dim))
    columns = {"x": held, "x.mask": there}
    settings: dict[str, Any] = {"steps": steps, "batch_size": len(held), "seed": seed}
    settings["learning_rate"] = Cosine(3e-2, 1e-3, steps)
    model, _ = bench.fit(f"ppca-{seed}", model, Dataset(columns), ELBO(), **settings)
    return impute(model, columns, samples=bench.count(1000), seed=seed)["x"].values


def by_regressions(bench: Bench, held: Tensor, there: Tensor, seed: int) -> dict[str, Tensor]:
    """Predict each column by the others, in turns: scikit-learn's iterative imputer."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    holed = held.double().masked_fill(~there, math.nan).numpy()
    trees = ExtraTreesRegressor(5 if bench.quick else 30, random_state=seed, max_features=0.3)
    regressions = {
        "random forests, one column by the others": (trees, 1 if bench.quick else 6),
        "linear regressions, one column by the others": (None, 2 if bench.quick else 20),
    }
    found = {}
    for name, (estimator, rounds) in regressions.items():
        imputer = IterativeImputer(estimator, max_iter=rounds, tol=0.0, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the rounds are fixed, so it never says converged
            found[name] = torch.from_numpy(imputer.fit_transform(holed))
    return found


def report(bench: Bench, errors: dict[str, list[float]]) -> None:
    """Record mean and standard error over seeds, and draw them beside the paper's."""
    means = {name: float(np.mean(values)) for name, values in errors.items()}
    spread = {name: standard_error(values) for name, values in errors.items()}
    for name, mean in means.items():
        paper = PUBLISHED[name]
        published = "" if paper is None else f"{paper:.3f} ({PAPER})"
        held = {"bar": "≤ 0.33", "met": mean <= 0.33} if name == "MIWAE" else {}
        what = f"squared error of filled cells: {name}"
        bench.row(what, with_error(mean, spread[name], 3), published, **held)  # type: ignore[arg-type]
    figure = compare_bars(
        list(means),
        list(means.values()),
        list(spread.values()),
        list(PUBLISHED.values()),
        title="Filling half of the breast-cancer table",
        subtitle="mean squared error of the filled cells, standard units",
        label="squared error",
    )
    bench.draw("imputation", figure)


def standard_error(values: list[float]) -> float:
    """Return the standard error of a mean over seeds; 0 for a single one."""
    return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0


def by_command(bench: Bench, spec: DataSpec, x: Tensor) -> None:
    """Write the table with holes, fit it and fill it as the commands do, in its own units."""
    there = torch.rand(x.shape, generator=torch.Generator().manual_seed(99)) > SHARE
    path, out = bench.folder / "holes.csv", bench.folder / "filled.csv"
    names = [f'"{name}"' for name in spec.columns or ()]
    rows = [
        [f"row {n}", *(f"{v:.6g}" if t else "" for v, t in zip(*pair))]
        for n, pair in enumerate(zip(x.tolist(), there.tolist()))
    ]
    path.write_text("\n".join(",".join(row) for row in [["id", *names], *rows]) + "\n")
    data = load(str(path), drop="id", seed=bench.seed)
    with seeded(bench.seed):
        made = miwae(data.spec, data.train.take(slice(None)).columns)
    settings = {**made.settings, "steps": bench.steps(STEPS), "seed": bench.seed}
    bench.fit("csv", made.model, data, made.objective, **settings)
    folder = bench.folder / "runs" / "csv"
    result = imputing.impute(
        folder, str(path), out, samples=bench.count(SAMPLES), seed=bench.seed, overwrite=True
    )
    filled = np.genfromtxt(out, delimiter=",", skip_header=1)[:, 1:]
    scaled = (filled - x.mean(0).numpy()) / x.std(0).numpy()
    error = np.square(scaled - standardised(x, there)[0].numpy())[~there.numpy()].mean()
    bench.row("holes filled in the CSV file, original units", str(result["filled"]))
    bench.row("their squared error, standard units (80 % of the rows trained on)", f"{error:.3f}")
