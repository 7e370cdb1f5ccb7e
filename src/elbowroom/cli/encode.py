"""Commands that go from data to latents and back: `encode`, `reconstruct`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elbowroom.cli.options import (
    Json,
    Overwrite,
    Quiet,
    Run,
    Seed,
    Threads,
    refuse_existing,
    use_threads,
)
from elbowroom.cli.output import Voice
from elbowroom.errors import UserError

Data = Annotated[
    str, typer.Argument(metavar="DATA", help="A file, folder or built-in name, as for fit.")
]
Out = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        help="File to write: .csv, .npy, .npz, .parquet (.png for pictures, .txt for sentences, "
        ".smi for molecules).",
    ),
]


def encode(
    folder: Run,
    data: Data,
    out: Out,
    overwrite: Overwrite = False,
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
    refuse_existing(out, overwrite, data)
    latents, labels = encoding.encode(folder, data, seed)
    if not latents:
        raise UserError(f"{folder}: this model has no latents, or none that data are encoded into")
    export.write_table(out, latents, labels)
    rows = len(next(iter(latents.values())))
    dims = sum(value[0].size for value in latents.values())
    Voice(quiet, as_json).result(
        {"file": str(out), "rows": rows, "latents": dims},
        f"wrote {rows} rows of {dims} latents to {out}",
    )


def reconstruct(
    folder: Run,
    data: Data,
    out: Out,
    given: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="NAME", help="Of several modalities, one to infer from."),
    ] = None,
    into: Annotated[
        list[str] | None,
        typer.Option("--into", metavar="NAME", help="Of several modalities, one to write."),
    ] = None,
    instead: Annotated[
        list[str] | None,
        typer.Option(
            "--given",
            metavar="NAME=VALUE",
            help="A condition to rebuild under, instead of the data's own: a class by name or "
            "number, or a number.",
        ),
    ] = None,
    rate: Annotated[
        bool,
        typer.Option("--rate", help="Of counts: the rate, without the excess zeros."),
    ] = False,
    overwrite: Overwrite = False,
    threads: Threads = None,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the likelihood's mean at every datum's posterior mean, in the data's own units.

    Examples:

    - `elbowroom reconstruct runs/table-vae table.csv --out rebuilt.csv`

    - `elbowroom reconstruct runs/pairs pairs.npz --from digit --into photograph --out p.png`

    - `elbowroom reconstruct runs/cells cells.h5ad --given log_l=0 --given batch=control --rate
      --out expression.csv`
    """
    from elbowroom.workflow import encoding, export
    from elbowroom.workflow.modalities import count

    use_threads(threads)
    refuse_existing(out, overwrite, data)
    if (instead or rate) and (given or into):
        raise UserError("--from and --into are of several modalities, --given and --rate of one")
    if instead or rate:
        values, spec = encoding.rates(folder, data, seed, instead or (), rate)
    else:
        values, spec = encoding.reconstruct(folder, data, seed, given or (), into or ())
    export.write(out, values, spec)
    rows = count(values)
    Voice(quiet, as_json).result(
        {"file": str(out), "rows": rows}, f"wrote {rows} reconstructions to {out}"
    )
