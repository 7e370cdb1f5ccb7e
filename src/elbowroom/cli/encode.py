"""Commands that go from data to latents and back: `encode`, `reconstruct`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elbowroom.cli.options import Json, Quiet, Run, Seed, Threads, use_threads
from elbowroom.cli.output import Voice

Data = Annotated[
    str, typer.Argument(metavar="DATA", help="A file, folder or built-in name, as for fit.")
]
Out = Annotated[
    Path,
    typer.Option(
        "--out", "-o", help="File to write: .csv, .npy, .npz, .parquet (.png for pictures)."
    ),
]


def encode(
    folder: Run,
    data: Data,
    out: Out,
    threads: Threads = None,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the posterior mean of every datum: one row each, in the order of the data.

    Example:

    - `elbowroom encode runs/table-vae table.csv --out latents.csv`
    """
    from elbowroom.workflow import encoding, export

    use_threads(threads)
    latents, labels = encoding.encode(folder, data, seed)
    export.write_table(out, latents, labels)
    rows, dims = latents["z"].shape if "z" in latents else (len(next(iter(latents.values()))), 0)
    Voice(quiet, as_json).result(
        {"file": str(out), "rows": rows, "latents": dims},
        f"wrote {rows} rows of {dims} latents to {out}",
    )


def reconstruct(
    folder: Run,
    data: Data,
    out: Out,
    threads: Threads = None,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the likelihood's mean at every datum's posterior mean, in the data's own units.

    Example:

    - `elbowroom reconstruct runs/table-vae table.csv --out rebuilt.csv`
    """
    from elbowroom.workflow import encoding, export

    use_threads(threads)
    values, spec = encoding.reconstruct(folder, data, seed)
    export.write(out, values, spec)
    Voice(quiet, as_json).result(
        {"file": str(out), "rows": len(values)}, f"wrote {len(values)} reconstructions to {out}"
    )
