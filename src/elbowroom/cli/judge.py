"""Commands that judge: `evaluate`, `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elbowroom.cli.options import Json, Quiet, Run, Seed, Threads, use_threads
from elbowroom.cli.output import Voice, table


def evaluate(
    folder: Run,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]", help="Other data. Default: the test part of the run's own."
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples",
            "-k",
            min=1,
            help="Importance samples per datum. Default: what the fit was asked for, else 1000.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=2, help="Evaluate at most so many data.")
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Print bound, log-likelihood with its standard error, and what the latents do.

    Every figure is in nats of the original data. `log p(x)` is an importance-weighted lower bound
    that tightens with --samples.

    Examples:

    - `elbowroom evaluate runs/digits-vae --samples 5000`

    - `elbowroom evaluate runs/table-vae others.csv --json`
    """
    from elbowroom.workflow.reevaluate import evaluate_folder
    from elbowroom.workflow.summary import headline_rows, reasons

    use_threads(threads)
    voice = Voice(quiet, as_json)
    result = evaluate_folder(folder, data, samples, seed, limit)
    rows, name = headline_rows(result), data or "test data"
    text = table([name, "value", "± s.e.", "unit"], rows)
    if not rows:  # an empty table would not say why
        text = table([f"not available for {name}", "why"], [*map(list, reasons(result).items())])
    voice.result(result, text)


def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR DIR…", help="Run folders.")],
    as_json: Json = False,
) -> None:
    """Print one table of several runs, from what they recorded about their test data.

    Example:

    - `elbowroom compare runs/digits-vae runs/digits-iwae`
    """
    from elbowroom.workflow.reevaluate import comparison

    headers, rows, value = comparison(folders)
    Voice(as_json=as_json).result(value, table(headers, rows))
