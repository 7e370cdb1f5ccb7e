"""Commands that train: `fit`, `resume`, `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from elbowroom.cli.options import Device, Json, Overwrite, Quiet, Run, Seed, Threads, use_threads
from elbowroom.cli.output import Voice, leads, table
from elbowroom.memory import LARGEST_SEED

DEMO_STEPS = 4000
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[key=value]…", help="Any other option: latent_dim=20 beta=4 train.clip_norm=10."
    ),
]


def fit(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA|config.yaml",
            help="A file (.npy .npz .csv .parquet .h5ad .txt .smi, idx), a folder or zip of "
            "pictures, a built-in name (see `elbowroom datasets`), or a configuration.",
        ),
    ],
    overrides: Overrides = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="A name from `elbowroom models`. Default: vae."),
    ] = None,
    inference: Annotated[
        str | None,
        typer.Option(
            "--inference", help="How the posterior is fitted, see above. Default: joint."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Run folder to write. Default: runs/DATA-MODEL."),
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Updates. Default: 20000.")] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Data per update. Default: 128.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, max=LARGEST_SEED, help="One seed reproduces the run."),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option("--precision", help="32-true, or bf16-mixed (faster on recent processors)."),
    ] = None,
    device: Device = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    embed: Annotated[
        bool,
        typer.Option(
            "--embed/--no-embed", help="Whether report.html may hold pictures of your data."
        ),
    ] = True,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the completed configuration and stop.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fit a model to data, evaluate it, and write a report.

    Examples:

    - `elbowroom fit digits`

    - `elbowroom fit table.csv label=species latent_dim=4 --steps 5000`

    - `elbowroom fit mnist-static --model iwae samples=20 --out runs/iwae`

    - `elbowroom fit mnist binarize=dynamic hidden=[200,200] train.clip_norm=10`

    - `elbowroom fit digits --inference alternating inference.expectation=5`

    A model's options are listed by `elbowroom models NAME`. Data take label, columns, drop,
    binarize, size, limit, kind; cells batch, layer, most_variable; sentences and molecules
    notation, vocabulary, length. Training takes learning_rate, optimizer, clip_norm, average,
    accumulate, patience, evaluate_every; a mistyped option lists them all.

    Ways of inference:

    - `joint`: one gradient step on encoder and generator; the default

    - `amortised`: another name of joint

    - `alternating`: steps on the posterior, then on the generator, as EM does

    - `per-datum`: parameters for each training datum, no encoder

    - `wake-sleep`: two losses: explain data, recognise dreams

    - `reweighted-wake-sleep`: wake-sleep by importance-weighted particles

    - `naive-monte-carlo`: no posterior: particles from the prior

    - `semi-amortised`: the encoder's guess, refined for each datum by gradients

    - `hamiltonian`: the encoder's particles, moved by leapfrogs

    - `langevin`: the encoder's particles, moved by annealed Langevin
    """
    from elbowroom.workflow import configuration, plan, run

    use_threads(threads)
    voice = Voice(quiet, as_json)
    flags = {
        "model.type": model,
        "inference.type": inference,
        "seed": seed,
        "train.steps": steps,
        "train.batch_size": batch_size,
    }
    flags |= {"train.precision": precision, "train.device": device}
    tree = configuration.read(data, overrides or [], flags)
    if print_config:
        import yaml

        typer.echo(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).rstrip())
        return
    folder = out or default_folder(tree)
    if leads():
        run.refuse_early(folder, overwrite, tree["data"]["source"])
    made = plan.make(tree)
    voice.say(run.announcement(made, folder))
    if made.splits.spec.left_out:
        voice.warn(f"{made.splits.spec.name}: {made.splits.spec.left_out}")
    for line in plan.unfinished(made.recipe.objective, made.settings.steps):
        voice.warn(line)
    summary = run.fit(made, folder, overwrite=overwrite, embed=embed, progress=not quiet)
    conclude(voice, summary, folder)


def resume(
    folder: Run,
    steps: Annotated[
        int | None, typer.Option("--steps", help="A new last step. Default: the old one.")
    ] = None,
    threads: Threads = None,
    embed: Annotated[bool, typer.Option("--embed/--no-embed", help="As for fit.")] = True,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Go on with a run that was stopped, bit for bit as if it had not been.

    Examples:

    - `elbowroom resume runs/digits-vae`

    - `elbowroom resume runs/digits-vae --steps 20000`
    """
    from elbowroom.workflow import run

    use_threads(threads or run.threads_of(folder))
    summary = run.resume(folder, steps=steps, embed=embed, progress=not quiet)
    conclude(Voice(quiet, as_json), summary, folder)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder to write.")] = Path(
        "runs/demo"
    ),
    overwrite: Overwrite = False,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fit a VAE to 1,797 handwritten digits that come with the package, in about a minute.

    Example:

    - `elbowroom demo --out runs/demo`
    """
    said = {"out": out, "overwrite": overwrite, "seed": seed, "quiet": quiet, "as_json": as_json}
    fit("digits", ["latent_dim=8", "hidden=[256,256]"], steps=DEMO_STEPS, **said)


def default_folder(tree: dict[str, Any]) -> Path:
    """Return ``runs/DATA-MODEL``."""
    source = Path(str(tree["data"]["source"]))
    return Path("runs") / f"{source.name.split('.')[0] or 'data'}-{tree['model']['type']}"


def conclude(voice: Voice, summary: dict[str, Any], folder: Path) -> None:
    """Print the figures of a finished run and where to look."""
    from elbowroom.workflow.summary import headline_rows

    text = table(["test data", "value", "± s.e.", "unit"], headline_rows(summary))
    voice.result({"folder": str(folder), **summary}, text)
    voice.say(f"\nreport: {folder / 'report.html'}\nnext:   elbowroom sample {folder} -n 16")
