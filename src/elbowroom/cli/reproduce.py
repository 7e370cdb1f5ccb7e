"""The command that runs the lectures' experiments: `reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elbowroom.cli.options import Json, Overwrite, Quiet, Seed, Threads, use_threads
from elbowroom.cli.output import Voice, table
from elbowroom.errors import UserError

EVERY = "all"


def reproduce(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="The experiment to run; `all` for every one."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder for its figures. Default: runs/NAME, runs/reproduce."
        ),
    ] = None,
    seed: Seed = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few steps, to see that it runs.")
    ] = False,
    results: Annotated[
        Path | None,
        typer.Option("--results", help="With `all`: write a table of all figures (Markdown)."),
    ] = None,
    gallery: Annotated[
        Path | None, typer.Option("--gallery", help="With `all`: write a page of all pictures.")
    ] = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """List the lectures' experiments, or run one: our figures beside bars and published ones.

    `all` runs one after the other, leaves out those that have results, and goes on where it was
    interrupted.

    Examples:

    - `elbowroom reproduce`

    - `elbowroom reproduce latent-manifold --quick`

    - `elbowroom reproduce all --results results.md --gallery gallery.html`
    """
    from elbowroom.experiments import EXPERIMENTS, run

    use_threads(threads)
    voice = Voice(quiet, as_json)
    if name != EVERY and (results or gallery):
        raise UserError("--results and --gallery are of all experiments: elbowroom reproduce all")
    if name is None:
        rows = [[n, e.question, e.source] for n, e in EXPERIMENTS.items()]
        value = {n: {"question": e.question, "source": e.source} for n, e in EXPERIMENTS.items()}
        voice.result(value, table(["experiment", "question", "source"], rows))
    elif name == EVERY:
        every(voice, out or Path("runs") / "reproduce", seed, quick, overwrite, results, gallery)
    else:
        folder = out or Path("runs") / name
        outcome = run(name, folder, seed=seed, quick=quick, overwrite=overwrite, say=voice.say)
        rows = [[r.what, r.ours, r.bar, r.verdict, r.published] for r in outcome.rows]
        text = table(["figure", "ours", "bar", "", "published or expected"], rows)
        voice.result({"folder": str(folder), "rows": [r.__dict__ for r in outcome.rows]}, text)
        voice.say(f"\nfigures: {folder}")
        if quick:
            voice.say("--quick: a few steps, to see that it runs; what it prints means nothing")


def every(
    voice: Voice,
    folder: Path,
    seed: int,
    quick: bool,
    overwrite: bool,
    results: Path | None,
    gallery: Path | None,
) -> None:
    """Run all that have no results yet and write what was asked for."""
    from elbowroom.experiments import EXPERIMENTS
    from elbowroom.experiments.results import write_gallery, write_results
    from elbowroom.experiments.running import recorded, run_all

    options = {"seed": seed, "quick": quick, "overwrite": overwrite}
    outcome = run_all(EXPERIMENTS, folder, say=voice.say, **options)
    records = recorded(folder, EXPERIMENTS)
    if results is not None:
        write_results(results, records)
    if gallery is not None:
        write_gallery(gallery, folder, records)
    verdicts = {r["experiment"]: [row.get("met") for row in r["rows"]] for r in records}
    rows = [
        [name, said, *(str(verdicts.get(name, []).count(met)) for met in (True, False))]
        for name, said in outcome.items()
    ]
    voice.result(
        {"folder": str(folder), "outcome": outcome, "records": records},
        table(["experiment", "", "bars met", "missed"], rows),
    )
