"""Molecules from vectors: SELFIES, which cannot be wrong, beside SMILES, which can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.data.molecules import as_smiles
from elbowroom.data.text import sentences
from elbowroom.evaluate.latent import active_units
from elbowroom.evaluate.likelihood import elbo
from elbowroom.evaluate.molecules import Generated, distances, generated, properties
from elbowroom.experiments.base import Bench, with_error
from elbowroom.model import Model
from elbowroom.plots.molecules import molecule_grid
from elbowroom.plots.tables import marginals
from elbowroom.random import seeded
from elbowroom.recipes.text import selfies_vae
from elbowroom.schedules import Cosine

STEPS, ROWS, DRAWN, MEASURED = 1200, 30_000, 2000, 500
MOSES = {
    "valid": "MOSES VAE .9767, CharRNN .9748, JTN-VAE 1.0",
    "unique": "MOSES, unique@10k: VAE .9984, CharRNN .9994",
    "novel": "MOSES, of 1.58 M training molecules: VAE .6949, CharRNN .8419",
}
BARS = {"valid": ("100 %", 1.0), "unique": ("≥ 0.95", 0.95), "novel": ("≥ 0.65", 0.65)}
Values = dict[str, np.ndarray]


def run(bench: Bench) -> None:
    """Fit the same VAE to the same molecules in both notations, and judge what it makes."""
    sets = {n: read(bench, n) for n in ("smiles", "selfies")}
    parts: list[Any] = [sets["smiles"].train, sets["smiles"].test]
    training, test = (sentences(part.columns["x"], sets["smiles"].spec) for part in parts)
    count = bench.count(MEASURED)
    reference, floor = properties(test[:count]), properties(training[:count])
    for notation in ("selfies", "smiles"):
        model = fitted(bench, notation, sets[notation])
        bounded(bench, notation, sets[notation], model)
        drawn = model.sample(bench.count(DRAWN), seed=bench.seed)["x"]
        made = as_smiles(sentences(drawn, sets[notation].spec), notation)
        found = generated(made, training, first=1000)
        counted(bench, notation, found)
        if found.molecules:
            measured(bench, notation, found.molecules[:count], reference, floor)
            draw(bench, notation, found.molecules)


def read(bench: Bench, notation: str) -> Splits:
    """Load the same molecules in one notation."""
    return load("moses", seed=bench.seed, limit=200 if bench.quick else ROWS, notation=notation)


def bounded(bench: Bench, notation: str, data: Splits, model: Model) -> None:
    """Record the plain bound and what the latent carries."""
    test = data.test.take(slice(0, bench.count(1000)))
    bound = elbo(model, test, samples=1, seed=bench.seed)
    units = active_units(model, test)["z"].count
    ours = with_error(bound.mean, bound.standard_error)
    text = f"{ours} / {bound.kl['z'].mean():.1f} / {units}"
    bench.row(f"{notation}: test ELBO, KL, nats a molecule, active units", text)


def fitted(bench: Bench, notation: str, data: Splits) -> Model:
    """Train with equal steps and sizes for both notations."""
    train: Any = data.train
    with seeded(bench.seed):
        made = selfies_vae(data.spec, train.columns)
    steps = bench.steps(STEPS)
    model, _ = bench.fit(
        notation, made.model, data, made.objective, steps=steps, batch_size=128, clip_norm=5.0,
        learning_rate=Cosine(3e-3, 5e-5, steps, warmup=min(20, steps - 1)),
        evaluate_every=max(steps // 3, 1),
    )  # fmt: skip
    return model


def counted(bench: Bench, notation: str, found: Generated) -> None:
    """Record validity, uniqueness and novelty; the bars are for SELFIES."""
    names = {"valid": "valid", "unique": f"unique@{found.counted}", "novel": "novel"}
    for name, (bar, least) in BARS.items():
        share = getattr(found, name)
        held = (bar, share >= least) if notation == "selfies" else ("", None)
        bench.row(f"{notation}: {names[name]}", f"{share:.4f}", MOSES[name], *held)


def measured(
    bench: Bench, notation: str, made: Sequence[str], reference: Values, floor: Values
) -> None:
    """Record how far each property's distribution is from the test molecules'."""
    ours = properties(made)
    apart, least = distances(ours, reference), distances(floor, reference)
    for name, distance in apart.items():
        spread = float(np.std(reference[name]))
        text = f"{distance:.3f} ({distance / spread:.2f} σ)"
        note = f"training molecules: {least[name]:.3f}"
        bench.row(f"{notation}: {name}, Wasserstein distance to test molecules", text, note)
    names, size = list(ours), min(len(ours["QED"]), len(reference["QED"]))
    theirs, own = (np.stack([side[n][:size] for n in names], 1) for side in (reference, ours))
    title = f"Molecules from {notation.upper()} and test molecules"
    bench.draw(f"{notation}-properties", marginals(theirs, own, names, title=title))


def draw(bench: Bench, notation: str, made: Sequence[str]) -> None:
    """Draw some of the molecules, and write all of them."""
    titles = [f"QED {one:.2f}" for one in properties(made[:24])["QED"]]
    title = f"Molecules from {notation.upper()}"
    figure = molecule_grid(made[:24], titles, title=title, subtitle="drawn from the prior")
    bench.draw(f"{notation}-molecules", figure)
    bench.write(f"{notation}-molecules.txt", "\n".join(made) + "\n")
