"""What generated molecules are worth: valid, unique, new, and like those they were learnt from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elbowroom.data.molecules import chemistry
from elbowroom.errors import UserError


@dataclass(frozen=True)
class Generated:
    """Shares of generated molecules, as the MOSES benchmark counts them.

    Attributes:
        valid: of all, those that are a molecule with an atom in it.
        unique: of the first valid ones, those that are no repetition.
        novel: of the unique valid ones, those that are not in the training data.
        counted: how many valid ones `unique` is over.
        molecules: the valid ones, canonical SMILES, in their order.
    """

    valid: float
    unique: float
    novel: float
    counted: int
    molecules: tuple[str, ...]


def generated(
    smiles: Sequence[str], training: Collection[str] = (), first: int | None = None
) -> Generated:
    """Count valid, unique and new molecules.

    Args:
        smiles: what was generated.
        training: SMILES of the training data.
        first: how many valid ones `unique` is over, the k of unique@k; None is all.

    Raises:
        UserError: nothing was generated; the package ``rdkit`` is not installed.

    References:
        Molecular Sets (MOSES): A Benchmarking Platform (arXiv:1811.12823).
    """
    if not smiles:
        raise UserError("there are no molecules to judge")
    valid = [one for one in map(canonical, smiles) if one]
    counted = valid[:first]
    known = {one for one in map(canonical, training) if one}
    different = set(valid)
    return Generated(
        len(valid) / len(smiles),
        len(set(counted)) / max(len(counted), 1),
        len(different - known) / max(len(different), 1),
        len(counted),
        tuple(valid),
    )


def canonical(smiles: str) -> str | None:
    """Return the one way to write a molecule; None where it is none, or has no atom."""
    chemist = chemistry()
    molecule = chemist.MolFromSmiles(smiles) if smiles else None
    return (
        None if molecule is None or not molecule.GetNumAtoms() else chemist.MolToSmiles(molecule)
    )


def properties(smiles: Sequence[str]) -> dict[str, np.ndarray]:
    """Return ``(N,)`` values by property, of valid molecules.

    ``QED`` is a drug's likeness in [0, 1], ``logP`` the log of how much more oil than water
    dissolves, ``weight`` in daltons, ``SA`` the difficulty of synthesis from 1 to 10.

    References:
        Quantifying the chemical beauty of drugs (Bickerton et al. 2012); Estimation of synthetic
        accessibility score of drug-like molecules (Ertl, Schuffenhauer 2009).
    """
    read = chemistry().MolFromSmiles
    molecules = [read(one) for one in smiles]
    return {
        name: np.array([float(measure(one)) for one in molecules])
        for name, measure in measures().items()
    }


def measures() -> dict[str, Callable[[Any], float]]:
    """Return what each property of a molecule is computed by."""
    chemistry()
    from rdkit.Chem import QED, Crippen, Descriptors
    from rdkit.Contrib.SA_Score import sascorer  # pyright: ignore[reportMissingImports]

    return {
        "QED": QED.qed,
        "logP": Crippen.MolLogP,  # type: ignore[attr-defined]
        "weight": Descriptors.MolWt,  # type: ignore[attr-defined]
        "SA": sascorer.calculateScore,
    }


def distances(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the Wasserstein distance ``∫ |F - G|`` of each property, in the property's unit."""
    from scipy.stats import wasserstein_distance

    return {name: float(wasserstein_distance(ours[name], theirs[name])) for name in ours}
