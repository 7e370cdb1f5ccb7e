"""One look for every figure: typography, colours, and files that are the same each time."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

from matplotlib import rc_context
from matplotlib.figure import Figure

from elbowroom.train.files import write_atomically

DPI = 160
INK, MUTED, FAINT, PAPER = "#1d2530", "#66717f", "#e3e7ec", "#ffffff"
DATA, MODEL, THIRD = "#3c4653", "#d9622b", "#1f77b4"
"""Data are dark grey and the model is orange in every figure; blue is for what is neither."""

CLASSES = (
    "#332288", "#cc6677", "#117733", "#88ccee", "#999933", "#882255", "#44aa99", "#ddaa33",
    "#aa4499", "#7f7f7f",
)  # fmt: skip
"""Ten colours that stay apart for colour-blind readers (Paul Tol's muted scheme, adapted)."""

PARAMETERS: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    # Names of columns and data sets are text, never mathematics: a dollar sign is a dollar sign.
    "text.parse_math": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 7,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8,
    "axes.edgecolor": "#b4bcc6",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.formatter.use_mathtext": False,
    "axes.formatter.limits": (-4, 5),
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": "#b4bcc6",
    "ytick.color": "#b4bcc6",
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "figure.facecolor": PAPER,
    "figure.dpi": DPI,
}

P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a drawing function under :data:`PARAMETERS`; the caller's settings are put back."""

    @functools.wraps(draw)
    def run(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with rc_context(PARAMETERS):
            return draw(*args, **kwargs)

    return run


def plain(text: object, limit: int = 28) -> str:
    """Return a name on one line, with at most `limit` characters, the last one an ellipsis."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def png(figure: Figure, target: Any) -> None:
    """Write a figure as PNG: the same figure gives the same bytes, with no date in them."""
    with rc_context(PARAMETERS), warnings.catch_warnings():
        # A name in a script the font lacks is drawn as boxes; that is no news for the terminal.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(target, format="png", dpi=DPI, metadata={"Software": None})


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, whole or not at all.

    Raises:
        UserError: the folder cannot be written or the disk is full.
    """
    path = Path(path)
    write_atomically(path, lambda part: png(figure, part))
    return path
