"""The lectures' figures and papers' tables, out of real code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from elbowroom.errors import UserError, unknown
from elbowroom.experiments.base import Bench, Experiment, Row
from elbowroom.train.files import cannot_write, write_json
from elbowroom.train.run_folder import versions

EXPERIMENTS: dict[str, Experiment] = {
    "aevb-mnist": Experiment(
        "elbowroom.experiments.aevb:run",
        "how does Algorithm 1 (M=100, L=1) fare on MNIST as the latent space grows?",
        "arXiv:1312.6114, figure 2",
    ),
    "latent-manifold": Experiment(
        "elbowroom.experiments.manifold:run",
        "what does a two-dimensional latent space look like?",
        "arXiv:1312.6114, figure 4",
    ),
    "autoencoder-vs-vae": Experiment(
        "elbowroom.experiments.holes:run",
        "why is a plain autoencoder not a generative model?",
        "lecture: holes in the latent space",
    ),
    "elbo-forms": Experiment(
        "elbowroom.experiments.forms:run",
        "do the three forms of the bound and both estimators agree?",
        "arXiv:1312.6114, section 2.3",
    ),
    "faces": Experiment(
        "elbowroom.experiments.faces:run",
        "what do a convolutional VAE's latents do to a face?",
        "lecture: CelebA samples and traversals",
    ),
}


def run(
    name: str,
    folder: Path,
    *,
    seed: int = 0,
    quick: bool = False,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
) -> Bench:
    """Run an experiment and write its figures and ``results.json`` into a folder.

    Raises:
        UserError: no such experiment; the folder exists; data are missing.
    """
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    if (folder / "results.json").exists() and not overwrite:
        raise UserError(f"{folder} holds results already; choose another --out, or --overwrite")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    module, function = EXPERIMENTS[name].place.split(":")
    bench = Bench(folder, seed, quick, say)
    say(f"{name}: {EXPERIMENTS[name].question}")
    getattr(import_module(module), function)(bench)
    rows = [asdict(row) for row in bench.rows]
    record = {
        "experiment": name,
        "seed": seed,
        "quick": quick,
        "versions": versions(),
        "rows": rows,
    }
    write_json(folder / "results.json", record)
    return bench


__all__ = ["EXPERIMENTS", "Bench", "Experiment", "Row", "run"]
