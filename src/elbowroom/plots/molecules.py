"""Molecules, drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from elbowroom.data.molecules import chemistry
from elbowroom.plots.images import image_grid
from elbowroom.plots.layout import nothing

WIDTH, HEIGHT = 260, 190


def molecule_grid(
    smiles: Sequence[str],
    titles: Sequence[str] | None = None,
    columns: int = 6,
    *,
    title: str | None = "Molecules",
    subtitle: str | None = None,
) -> Figure:
    """Draw molecules in rows, the first at the top left; what is none leaves its place empty.

    Args:
        smiles: of the molecules.
        titles: a line over each.
        columns: molecules in a row.
        title, subtitle: heading of the figure.

    Raises:
        UserError: the package ``rdkit`` is not installed.
    """
    if not smiles:
        return nothing(title, "no molecules to show")
    pictures = np.stack([picture(one) for one in smiles])
    return image_grid(pictures, columns, titles, title=title, subtitle=subtitle)


def picture(smiles: str) -> np.ndarray:
    """Return one molecule as a picture ``(3, H, W)`` in [0, 1]."""
    from PIL import Image

    molecule: Any = chemistry().MolFromSmiles(smiles)
    if molecule is None or not smiles:
        return np.ones((3, HEIGHT, WIDTH))
    from rdkit.Chem.Draw import rdMolDraw2D

    canvas = rdMolDraw2D.MolDraw2DCairo(WIDTH, HEIGHT)
    canvas.drawOptions().bondLineWidth = 1
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
    canvas.FinishDrawing()
    drawn = Image.open(io.BytesIO(canvas.GetDrawingText())).convert("RGB")
    return np.asarray(drawn, np.float64).transpose(2, 0, 1) / 255.0
