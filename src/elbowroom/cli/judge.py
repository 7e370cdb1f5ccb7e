"""Commands that judge: `evaluate`, `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elbowroom.cli.options import Json, Quiet, Run, Seed, Threads, use_threads
from elbowroom.cli.output import Voice, table
from elbowroom.cli.progress import bar
from elbowroom.errors import UserError, unknown

if TYPE_CHECKING:
    from elbowroom.evaluate.annealing import Annealing

METHODS = ("iwae", "ais", "bdmc", "sbc")
WORST = 12


def evaluate(
    folder: Run,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]", help="Other data. Default: the test part of the run's own."
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="iwae: every figure, log p(x) by importance sampling. ais: log p(x) alone, by "
            "annealing. bdmc: bounds of log p(x) from both sides, on simulated data. sbc: whether "
            "the posterior is right, on simulated data.",
        ),
    ] = "iwae",
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples",
            "-k",
            min=1,
            help="Importance samples per datum. Default: what the fit was asked for, else 1000. "
            "Under ais and bdmc: chains per datum, default 16. Under sbc: draws, default 99.",
        ),
    ] = None,
    distributions: Annotated[
        int | None,
        typer.Option(
            "--distributions",
            "-T",
            min=1,
            help="Steps of temperature of ais and bdmc. Default: 1000.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            help="Where ais and bdmc begin: prior or posterior (better where it is good). "
            "Default: prior.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=2,
            help="Evaluate at most so many data. Default: all; under ais and bdmc 100, under sbc "
            "1000 simulated ones.",
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", help="Under sbc: file to draw histograms of ranks into, .png."),
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Print bound, log-likelihood with its standard error, and what the latents do.

    Every figure is in nats of the original data. `log p(x)` is an importance-weighted lower bound
    that tightens with --samples. Where the posterior is much narrower than the truth no number of
    samples is enough: the line `Pareto k > 0.7` says of what share of the data.

    Annealing (--method ais) then goes from the prior to the data in --distributions small steps;
    it takes minutes for a hundred data and needs continuous latents. How far it can be trusted is
    what --method bdmc tells: on data simulated from the model the truth lies between its two
    bounds, and their gap shrinks with --distributions.

    Is the posterior itself right? --method sbc draws latents from the prior and data from these,
    and ranks each latent among --samples draws of the posterior. If it is exact, ranks are
    uniform; a U says too narrow, a hill too wide, a slope too low or too high.

    Examples:

    - `elbowroom evaluate runs/digits-vae --samples 5000`

    - `elbowroom evaluate runs/table-vae others.csv --json`

    - `elbowroom evaluate runs/digits-vae --method ais --limit 50`

    - `elbowroom evaluate runs/digits-vae --method bdmc -T 300 --samples 8`

    - `elbowroom evaluate runs/digits-vae --method sbc --figure ranks.png`
    """
    from elbowroom.workflow.reevaluate import anneal_folder, calibrate_folder, evaluate_folder
    from elbowroom.workflow.summary import headline_rows, reasons

    use_threads(threads)
    voice = Voice(quiet, as_json)
    settings = annealing(method, samples, distributions, start)
    refuse_figure(method, figure)
    with bar(voice.quiet) as tell:
        if method == "sbc":
            result = calibrate_folder(folder, data, samples, seed, limit, figure, tell)
        elif settings is None:
            result = evaluate_folder(folder, data, samples, seed, limit, tell)
        else:
            result = anneal_folder(folder, data, method, settings, seed, limit, tell)
    name = data or "test data"
    warn_of_blank_rows(voice, data, result)
    if method != "iwae":
        voice.say(extent(method, result["n"], name))
        name = name if method == "ais" else "simulated data"
    rows = headline_rows(result)
    text = table([name, "value", "± s.e.", "unit"], rows)
    if not isinstance(result.get("log_marginal"), dict) and method == "iwae":
        # A table without its first figure would not say why.
        why = table([f"not available for {name}", "why"], [*map(list, reasons(result).items())])
        text = f"{text}\n\n{why}" if rows else why
    if method == "ais" and isinstance(result.get("log_marginal"), dict):
        text = f"{text}\n\n{result['log_marginal']['verdict']}."
    if method == "sbc":
        text = f"{text}\n\n{quantities(result['by_quantity'])}"
        voice.say(f"wrote {figure}" if figure else "draw the ranks with --figure ranks.png")
    voice.result(result, text)


def quantities(found: dict[str, dict[str, Any]]) -> str:
    """Return a table of the quantities that are least calibrated."""
    worst = sorted(found, key=lambda name: found[name]["p_value"])[:WORST]
    rows = [
        [
            name,
            f"{found[name]['p_value']:.2g}",
            f"{found[name]['shift']:+.1f}",
            f"{found[name]['width']:+.1f}",
            found[name]["reading"] or unread(found[name]["p_value"]),
        ]
        for name in worst
    ]
    which = "quantity" if len(rows) == len(found) else f"worst {len(rows)} of {len(found)}"
    return table([which, "p, corrected", "shift, s.e.", "width, s.e.", "draws are"], rows)


def unread(p_value: float) -> str:
    """Say of draws that are neither shifted nor of another width how they are."""
    from elbowroom.evaluate.calibration_report import CERTAIN

    return "off in another way" if p_value < CERTAIN else "as they should be"


def warn_of_blank_rows(voice: Voice, data: str | None, result: dict[str, Any]) -> None:
    """Say how many rows of a table were left out, and note it among the counts."""
    from elbowroom.data.conform import blank_rows

    blank = 0 if data is None else blank_rows(data)
    if blank:
        result["n"]["blank"] = blank
        voice.warn(f"{data}: {blank} blank {'row is' if blank == 1 else 'rows are'} left out")


def refuse_figure(method: str, figure: Path | None) -> None:
    """Raise `UserError` for a picture that this method does not draw, or no PNG."""
    if figure is None:
        return
    if method != "sbc":
        raise UserError("--figure is of --method sbc")
    if figure.suffix.lower() != ".png":
        raise UserError(f"--figure {figure}: pictures are written as .png")


def annealing(
    method: str, samples: int | None, distributions: int | None, start: str | None
) -> Annealing | None:
    """Return how to anneal, or None where nothing is annealed.

    Raises:
        UserError: no such method, or an option of another one.
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    if method in ("iwae", "sbc"):
        if distributions is not None or start is not None:
            raise UserError("--distributions and --start are of --method ais and bdmc")
        return None
    from elbowroom.evaluate.annealing import DEFAULT, Annealing

    return Annealing(
        DEFAULT.distributions if distributions is None else distributions,
        DEFAULT.chains if samples is None else samples,
        DEFAULT.start if start is None else start,
    )


def extent(method: str, n: dict[str, int], name: str) -> str:
    """Return of how many data the figures are."""
    if method != "ais":
        return f"{n['evaluated']} data simulated from the model; --limit sets how many"
    return f"{n['evaluated']} of {n['available']} {name}; --limit sets how many"


def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR DIR…", help="Run folders.")],
    as_json: Json = False,
) -> None:
    """Print one table of several runs, from what they recorded about their test data.

    Runs of different data are refused, with what differs. A label that no model reads is no
    difference.

    Example:

    - `elbowroom compare runs/digits-vae runs/digits-iwae`
    """
    from elbowroom.workflow.comparing import comparison

    headers, rows, value = comparison(folders)
    Voice(as_json=as_json).result(value, table(headers, rows))
