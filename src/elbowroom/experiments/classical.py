"""The models that came before the VAE, beside it: one table of likelihoods, one of imputations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from elbowroom.cli.output import table
from elbowroom.evaluate.imputation import impute
from elbowroom.experiments.base import Bench, with_error
from elbowroom.plots.images import reconstructions
from elbowroom.random import seeded
from elbowroom.recipes.classical import factor_analysis
from elbowroom.shapes import as_scope
from elbowroom.train.fit import fit
from elbowroom.train.run_folder import load
from elbowroom.workflow import plan
from elbowroom.workflow import run as workflow
from elbowroom.workflow.comparing import comparison
from elbowroom.workflow.configuration import complete
from elbowroom.workflow.pictures import as_pictures

DIM, ABSENT, SAMPLES = 16, 0.3, 2000
MODELS: dict[str, dict[str, Any]] = {
    "pca": {"type": "pca", "latent_dim": DIM},
    "ppca": {"type": "ppca", "latent_dim": DIM},
    "fa": {"type": "fa", "latent_dim": DIM},
    "gmm": {"type": "gmm", "components": 10},
    "vae": {"type": "vae", "latent_dim": DIM, "likelihood": "gaussian"},
}
IMPUTING = ("ppca", "fa", "vae")


def run(bench: Bench) -> None:
    """Fit all of them to the digits, compare, then hide 30 % of the test pixels."""
    folders = {name: fitted(name, bench) for name in MODELS}
    headers, rows, value = comparison(list(folders.values()))
    bench.write("compare.txt", table(headers, rows) + "\n")
    for name, folder in folders.items():
        found = next(v for k, v in value.items() if Path(k) == folder)
        likelihood(bench, name, found)
    against_sklearn(bench)
    hidden(bench, {name: folders[name] for name in IMPUTING})


def fitted(name: str, bench: Bench) -> Path:
    """Fit one model by the workflow of the command line, unless that is done already."""
    folder = bench.folder / "runs" / name
    if not (folder / "evaluation.json").exists():
        steps = {"vae": 8000}.get(name)
        train = {"steps": bench.steps(steps)} if steps else {}
        request = {"seed": bench.seed, "data": "digits", "model": MODELS[name], "train": train}
        made = plan.make(complete(request))
        workflow.fit(made, folder, overwrite=True, progress=False)
    return folder


def likelihood(bench: Bench, name: str, found: dict[str, Any]) -> None:
    """Record ``log p(x)`` of the test part."""
    figure = found.get("log_marginal")
    text = "none (no prior)" if figure is None else with_error(
        figure["value"], figure["standard_error"]
    )  # fmt: skip
    bench.row(f"{name}: log p(x) of test digits, nats (densities of grey levels 0-16)", text)


def against_sklearn(bench: Bench) -> None:
    """Fit ours and scikit-learn's factor analysis to the pixels that vary, and compare."""
    from sklearn.decomposition import FactorAnalysis

    from elbowroom.data import load as load_data

    data = load_data("digits", seed=bench.seed)
    train, test = (everything(part).flatten(1) for part in (data.train, data.test))
    kept = train.std(0) > 1  # where the floor under the noise plays no part
    train, test = train[:, kept], test[:, kept]
    theirs = FactorAnalysis(DIM, max_iter=2000, tol=1e-6).fit(train.double().numpy())
    spec = replace(data.spec, shape=(train.shape[1],), image=None, n_train=len(train))
    with seeded(bench.seed):
        made = factor_analysis(spec, {"x": train}, DIM)
    fit(made.model, {"x": train}, made.objective, **{**made.settings, "seed": bench.seed})
    with torch.no_grad():
        ours = made.model.posterior.log_evidence(as_scope({"x": test})).mean().item()
    gap = ours - float(theirs.score(test.double().numpy()))
    bench.row(
        "fa: log p(x) of the pixels that vary, ours less scikit-learn's, nats",
        f"{gap:+.3f}",
        "0 at the same optimum",
    )


def everything(part: Any) -> Tensor:
    """Return all rows of a part, ``(N, *event)`` float32."""
    return part.batch(torch.arange(len(part)))["x"]


def hidden(bench: Bench, folders: dict[str, Path]) -> None:
    """Hide 30 % of the test pixels and fill them in."""
    from elbowroom.data import load as load_data

    data = load_data("digits", seed=bench.seed)
    x = data.test.batch(torch.arange(bench.count(len(data.test))))["x"]
    mask = torch.rand(x.shape, generator=torch.Generator().manual_seed(bench.seed)) >= ABSENT
    mean = everything(data.train).mean(0).expand_as(x)
    rows = {"mean of the pixel": mean}
    for name, folder in folders.items():
        batch = {"x": x.masked_fill(~mask, 0), "x.mask": mask}
        rows[name] = impute(load(folder), batch, samples=SAMPLES, seed=bench.seed)["x"].values
    errors = {name: error_of(filled, x, mask) for name, filled in rows.items()}
    for name, (error, spread) in errors.items():
        best = name == "mean of the pixel"
        bench.row(
            f"{name}: squared error per hidden pixel (grey levels 0-16)",
            with_error(error, spread),
            bar="" if best else "below the mean's",
            met=None if best else error < errors["mean of the pixel"][0],
        )
    shown = [torch.where(mask, x, filled)[:10] for filled in rows.values()]
    holes = x.masked_fill(~mask, 8)[:10]
    for name, filled in zip(rows, shown):
        slug = name.replace(" ", "-")
        above, below = (as_pictures(v.numpy(), data.spec) for v in (holes, filled))
        title = f"30 % of the pixels hidden, filled in by {name}"
        bench.draw(f"imputed-{slug}", reconstructions(above, below, title=title, subtitle=None))


def error_of(filled: Tensor, x: Tensor, mask: Tensor) -> tuple[float, float]:
    """Return the mean squared error of hidden entries and its standard error over data."""
    wrong = (filled - x).square().masked_fill(mask, 0).flatten(1).sum(1)
    each = wrong / (~mask).flatten(1).sum(1).clamp_min(1)
    return float(each.mean()), float(each.std() / len(each) ** 0.5)
