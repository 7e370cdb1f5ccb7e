"""Sprites: pictures with known factors, drawn in code after the data set dSprites."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.raw import Raw
from elbowroom.data.spec import DataSpec, Variable
from elbowroom.errors import UserError

SIDE, STAMP = 64, 32
FACTORS = {"shape": 3, "scale": 6, "angle": 40, "row": 32, "column": 32}
"""Number of values of each factor; their product is 737,280 pictures."""

OPTIONS = ("shapes", "scales", "angles", "rows", "columns", "side")
Chosen = int | Sequence[int]


def square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A square whose corners are 15.6 pixels from its centre."""
    return np.maximum(abs(u), abs(v)) <= 11.0


def ellipse(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """An ellipse twice as long as wide."""
    return (u / 15.0) ** 2 + (v / 7.5) ** 2 <= 1.0


def heart(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """``(u² + v² - 1)³ ≤ u² v³``, 11 pixels to the unit, upright."""
    u, v = u / 11.0, -v / 11.0
    return (u**2 + v**2 - 1.0) ** 3 <= u**2 * v**3


SHAPES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "ellipse": ellipse,
    "heart": heart,
    "square": square,
}


def sprites(
    shapes: Chosen = 3,
    scales: Chosen = 6,
    angles: Chosen = 40,
    rows: Chosen = 32,
    columns: Chosen = 32,
    side: int = 64,
    seed: int = 0,
) -> Splits:
    """Return every combination of the factors' chosen values, split 80/10/10.

    The factors stand beside ``x`` as class variables: ``shape``, ``scale``, ``angle``, ``row``
    and ``column``. The whole set takes 3 GB.

    Args:
        shapes, scales, angles, rows, columns: for each factor how many of its values, evenly
            spaced, or which of them.
        side: 64, 32 or 16 pixels; small pictures keep every second or fourth pixel.
        seed: of the split.

    Raises:
        UserError: there is no such value or side, or there are fewer than ten pictures.

    References:
        dSprites: Disentanglement testing Sprites dataset (Matthey, Higgins, Hassabis, Lerchner
        2017).
    """
    chosen = (shapes, scales, angles, rows, columns, side)
    options: dict[str, Any] = dict(zip(OPTIONS, chosen))
    x, factors = render(**options)
    if len(x) < 10:
        raise UserError(f"sprites: {len(x)} pictures cannot be split; take more of the factors")
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    part = len(x) // 10
    pieces = order.split([len(x) - 2 * part, part, part])
    held = {"x": torch.from_numpy(x), **{k: torch.from_numpy(v) for k, v in factors.items()}}
    parts = [Dataset({k: v[piece.sort().values] for k, v in held.items()}) for piece in pieces]
    spec = describe(options)
    prints = sha256("".join(p.fingerprint for p in parts).encode()).hexdigest()[:16]
    counts = dict(zip(("n_train", "n_validation", "n_test"), map(len, parts)))
    words = f"split 80/10/10, seed {seed}"
    train, validation, test = parts
    return Splits(
        train,
        validation,
        test,
        replace(spec, fingerprint=prints, seed=seed, split=words, **counts),
    )


def render(
    shapes: Chosen = 3,
    scales: Chosen = 6,
    angles: Chosen = 40,
    rows: Chosen = 32,
    columns: Chosen = 32,
    side: int = 64,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draw every combination of the chosen values, the last factor varying fastest.

    Returns:
        Pictures ``(N, 1, side, side)``, uint8, 0 or 1; and for each factor which of the chosen
        values each picture has, ``(N,)``, int64.
    """
    if side not in (16, 32, 64):
        raise UserError(f"side={side}: sprites are 16, 32 or 64 pixels wide")
    asked = dict(zip(FACTORS, (shapes, scales, angles, rows, columns)))
    kept = {name: values_of(name, value) for name, value in asked.items()}
    down, across = kept["row"], kept["column"]
    stamps = [stamp(*which) for which in product(kept["shape"], kept["scale"], kept["angle"])]
    step = SIDE // side
    x = np.zeros((len(stamps), len(down), len(across), side, side), np.uint8)
    canvas = np.zeros((len(stamps), SIDE, SIDE), np.uint8)
    for i, top in enumerate(down):
        for j, left in enumerate(across):
            canvas[:] = 0
            canvas[:, top : top + STAMP, left : left + STAMP] = stamps
            x[:, i, j] = canvas[:, ::step, ::step]
    codes = np.indices([len(values) for values in kept.values()]).reshape(len(kept), -1)
    return x.reshape(-1, 1, side, side), dict(zip(kept, codes.astype(np.int64)))


def read_sprites(_: list[Path]) -> Raw:
    """Every shape and scale, 20 angles and 8 by 8 places: 23,040 of the 737,280 pictures."""
    options: dict[str, Any] = dict(zip(OPTIONS, (3, 6, 20, 8, 8, 64)))
    x, factors = render(**options)
    variables = describe(options).variables
    words = {name: np.array(variables[name].names)[factors[name]] for name in ("shape", "scale")}
    return Raw("sprites", x, pictures=True, beside={**factors, **words})


def product(*values: Sequence[int]) -> list[tuple[int, ...]]:
    """Return every combination, the last varying fastest."""
    return [
        tuple(int(i) for i in row)
        for row in np.stack(np.meshgrid(*values, indexing="ij"), -1).reshape(-1, len(values))
    ]


def stamp(shape: int, scale: int, angle: int) -> np.ndarray:
    """Draw one sprite in the middle of ``(32, 32)`` pixels: those whose centre is inside."""
    size = 0.5 + 0.1 * scale
    turn = 2.0 * math.pi * angle / FACTORS["angle"]
    v, u = np.mgrid[0:STAMP, 0:STAMP] - (STAMP - 1) / 2.0
    along, across = (
        (math.cos(turn) * u + math.sin(turn) * v) / size,
        (math.cos(turn) * v - math.sin(turn) * u) / size,
    )
    return list(SHAPES.values())[shape](along, across).astype(np.uint8)


def values_of(name: str, chosen: Chosen) -> list[int]:
    """Return which values of a factor are drawn.

    Raises:
        UserError: there are not so many, or none of that number.
    """
    count = FACTORS[name]
    if isinstance(chosen, int):
        if not 1 <= chosen <= count:
            raise UserError(f"sprites: {name} has 1 to {count} values, not {chosen}")
        # Angles go round, so that the last must not meet the first.
        last = count * (chosen - 1) / chosen if name == "angle" else count - 1
        return [round(v) for v in np.linspace(0, last, chosen)]
    if not len(chosen) or not all(0 <= value < count for value in chosen):
        raise UserError(f"sprites: {name} has values 0 to {count - 1}, not {list(chosen)}")
    return list(chosen)


def describe(options: Mapping[str, Chosen]) -> DataSpec:
    """Return what is known of a choice of sprites."""
    asked = dict(zip(FACTORS, options.values()))
    kept = {name: values_of(name, value) for name, value in asked.items()}
    names = {
        "shape": [list(SHAPES)[i] for i in kept["shape"]],
        "scale": [f"{0.5 + 0.1 * i:.1f}" for i in kept["scale"]],
        "angle": [f"{9 * i}°" for i in kept["angle"]],
        "row": [str(i) for i in kept["row"]],
        "column": [str(i) for i in kept["column"]],
    }
    variables = {
        name: Variable("class", (), levels=len(values), names=tuple(values))
        for name, values in names.items()
    }
    side = int(options["side"])  # type: ignore[arg-type]
    return DataSpec(
        "sprites", "binary", (1, side, side), (1, side, side), 2, variables=variables,
        citation="after dSprites (Matthey, Higgins, Hassabis, Lerchner 2017), drawn in code",
    )  # fmt: skip
