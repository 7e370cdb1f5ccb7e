"""Command that fills holes: `impute`."""

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


def impute(
    folder: Run,
    data: Annotated[str, typer.Argument(metavar="DATA", help="A table with holes.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    samples: Annotated[
        int, typer.Option("--samples", "-L", min=1, help="Importance samples per row.")
    ] = 1000,
    multiple: Annotated[
        int,
        typer.Option(
            "--multiple", "-M", min=0, help="Write so many tables of draws instead of the mean."
        ),
    ] = 0,
    overwrite: Overwrite = False,
    threads: Threads = None,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a table again with its holes filled, in the original units.

    A hole gets its mean given what the row shows, written like the numbers of its column; cells
    that are there, other columns and their order stay as they are. With --multiple several
    tables are written, each with one draw for every hole, for analyses that count how uncertain
    the holes are.

    Examples:

    - `elbowroom impute runs/people-miwae people.csv --out filled.csv`

    - `elbowroom impute runs/people-miwae people.csv --out filled.csv --multiple 20`
    """
    from elbowroom.workflow import imputing

    use_threads(threads)
    for path in imputing.files_of(out, multiple):
        refuse_existing(path, overwrite, data)
    result = imputing.impute(
        folder, data, out, samples=samples, multiple=multiple, seed=seed, overwrite=overwrite
    )
    files = result["files"]
    names = files[0] if len(files) == 1 else f"{files[0]} … {files[-1]}"
    text = f"filled {result['filled']} holes in {result['rows']} rows: {names}"
    Voice(quiet, as_json).result(result, text)
