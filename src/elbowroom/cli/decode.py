"""Commands that go from latents to data: `sample`, `interpolate`, `traverse`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elbowroom.cli.options import Json, Overwrite, Quiet, Run, Seed, refuse_existing
from elbowroom.cli.output import Voice

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="File to write: .png for pictures, .npy .npz .csv for numbers, .txt for sentences, "
        ".smi for molecules.",
    ),
]


def sample(
    folder: Run,
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="How many.")] = 64,
    out: Out = None,
    mean: Annotated[
        bool,
        typer.Option("--mean", help="The likelihood's mean for each latent, without its noise."),
    ] = False,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--given",
            metavar="NAME=VALUE",
            help="A condition, or the column it was taken from, where the model has any: a class "
            "by name or number, or the number of a test datum. Those not given are drawn from "
            "the training data.",
        ),
    ] = None,
    overwrite: Overwrite = False,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw new data from the model: z from the prior, x given z.

    Examples:

    - `elbowroom sample runs/digits-vae -n 64 --out samples.png`

    - `elbowroom sample runs/table-vae -n 1000 --seed 1 --out synthetic.csv`

    - `elbowroom sample runs/digits-cvae --given label=3 --out threes.png`

    - `elbowroom sample runs/flowers-cvae --given species=setosa --out setosas.csv`
    """
    from elbowroom.workflow import decoding, export

    refuse_existing(out, overwrite)
    path = out or folder / ("samples" + export.default_ending(folder))
    values, spec, words = decoding.samples(folder, n, seed, mean, given or ())
    export.write(path, values, spec)
    told = f"wrote {n} samples to {path}" + (f" ({words})" if words else "")
    Voice(quiet, as_json).result({"file": str(path), "n": n, "given": words}, told)


def interpolate(
    folder: Run,
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="How many pairs of test data.")] = 6,
    steps: Annotated[
        int, typer.Option("--points", min=2, help="Points from one to the other.")
    ] = 11,
    out: Out = None,
    overwrite: Overwrite = False,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Walk in a straight line between the posterior means of pairs of test data, and decode.

    Example:

    - `elbowroom interpolate runs/digits-vae --pairs 6 --points 11 --out walk.png`
    """
    from elbowroom.workflow import decoding, export

    refuse_existing(out, overwrite)
    path = out or folder / ("interpolation" + export.default_ending(folder))
    values, spec = decoding.interpolations(folder, pairs, steps, seed)
    export.write(path, values, spec)
    Voice(quiet, as_json).result({"file": str(path)}, f"wrote {pairs} interpolations to {path}")


def traverse(
    folder: Run,
    steps: Annotated[
        int, typer.Option("--points", min=2, help="Points over [-range, range].")
    ] = 11,
    extent: Annotated[
        float, typer.Option("--range", min=0.1, max=1e6, help="How far from the prior's mean.")
    ] = 3.0,
    dimensions: Annotated[
        int, typer.Option("--dimensions", min=1, help="How many, the most used first.")
    ] = 10,
    out: Out = None,
    overwrite: Overwrite = False,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Vary one latent at a time around a test datum's posterior mean, and decode.

    Example:

    - `elbowroom traverse runs/digits-vae --dimensions 10 --range 3 --out latents.png`
    """
    from elbowroom.workflow import decoding, export

    refuse_existing(out, overwrite)
    path = out or folder / ("traversal" + export.default_ending(folder))
    values, spec, names, stops = decoding.traversals(folder, steps, extent, dimensions, seed)

    def drawn(pictures: np.ndarray) -> Figure:
        from elbowroom.plots.images import traversals

        return traversals(pictures, stops, names)

    export.write(path, values, spec, drawn)
    told = f"wrote {len(values)} traversals to {path} ({', '.join(names)})"
    Voice(quiet, as_json).result({"file": str(path), "latents": names}, told)
