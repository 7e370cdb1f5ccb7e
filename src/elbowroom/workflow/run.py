"""A run from start to report: fit, evaluate, draw, write."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from elbowroom.config import build
from elbowroom.data import reload
from elbowroom.data.dataset import Splits
from elbowroom.describe import describe
from elbowroom.distributed import rank_and_world
from elbowroom.errors import UserError
from elbowroom.inference.held_out import for_test
from elbowroom.model import Model
from elbowroom.posteriors.per_datum import keeps_rows
from elbowroom.schedules import Cosine, Schedule
from elbowroom.train import fit as training
from elbowroom.train import run_folder
from elbowroom.train.callbacks import ProgressBar
from elbowroom.train.files import write_json, write_text
from elbowroom.train.loop import History
from elbowroom.workflow import figures, plan, summary
from elbowroom.workflow.configuration import Tree, complete
from elbowroom.workflow.reevaluate import spec_of
from elbowroom.workflow.snapshots import Snapshots

SAMPLES = 500
TRAIN_LIMIT = 2000
MOST_THREADS = 1024


def announcement(made: plan.Plan, folder: Path) -> str:
    """Say what was recognised and chosen, before the work begins."""
    asked, way = made.tree["model"], made.tree["inference"]
    chosen = ", ".join(f"{k} {v}" for k, v in made.recipe.chosen.items() if k not in asked)
    return "\n".join(
        [
            f"data        {made.splits.spec.description}",
            f"chosen      {chosen or 'as configured'}",
            describe(made.recipe.model, made.recipe.objective),
            *([] if way is None else [f"inference   {listed(way)}"]),
            f"training    {schooling(made)}, seed {made.settings.seed}",
            f"run folder  {folder}",
        ]
    )


def schooling(made: plan.Plan) -> str:
    """Say how parameters come about: by an optimiser's steps, by EM, or by a formula."""
    settings, solved_by = made.settings, made.recipe.objective.solved_by
    everything = f"all {len(made.splits.train):,} training data"
    if solved_by == "formula":
        return f"by formula, from {everything}"
    if solved_by is not None:
        return f"{solved_by}, {settings.steps:,} iterations over {everything}"
    return (
        f"{settings.steps:,} steps of {settings.batch_size}, {settings.optimizer}, "
        f"learning rate {pace(settings.learning_rate)}, {settings.precision}"
    )


def pace(rate: float | Schedule) -> str:
    """Say how the learning rate goes; a number that is given replaces the falling default."""
    if isinstance(rate, Cosine):
        return f"{rate.start:g} falling to {rate.end:g}"
    return str(rate) if isinstance(rate, Schedule) else f"{rate:g} throughout"


def listed(way: Any) -> str:
    """Write a way of inference with its options."""
    if not isinstance(way, dict):
        return str(way)
    name = str(way["type"]).removesuffix("_inference").replace("_", "-")
    options = ", ".join(f"{key} {value}" for key, value in way.items() if key != "type")
    return f"{name} ({options})" if options else name


def refuse_early(folder: Path, overwrite: bool, source: str) -> None:
    """Refuse a folder that is in the way before any data are read.

    Args:
        folder: run folder to write.
        overwrite: whether an existing run may be replaced, with all that its folder holds.
        source: the data, which may not be among that.

    Raises:
        UserError: the folder may not be replaced.
    """
    run_folder.refuse_existing(folder, overwrite)
    data = Path(source).expanduser().resolve()
    if folder.exists() and data.exists() and folder.resolve() in (data, *data.parents):
        raise UserError(
            f"{folder} holds the data {source}, which --overwrite would delete; choose another "
            "--out, or move the data"
        )


def fit(
    made: plan.Plan,
    folder: Path,
    *,
    overwrite: bool = False,
    embed: bool = True,
    progress: bool = True,
) -> dict[str, Any]:
    """Train, evaluate and write the report; return what ``evaluation.json`` holds.

    Args:
        made: what to do.
        folder: run folder to write.
        overwrite: whether an existing run may be replaced.
        embed: whether the report may hold the user's data.
        progress: whether to show progress bars.
    """
    shown = of_whom(made.recipe.model, made.splits)
    callbacks = [Request(made.tree), Snapshots(shown, made.tree["seed"]), *bars(progress)]
    history = training.fit(
        made.recipe.model,
        made.splits,
        made.recipe.objective,
        out=folder,
        overwrite=overwrite,
        callbacks=callbacks,
        players=made.players,
        describe={"request": made.tree, "chosen": made.recipe.chosen},
        **{name: getattr(made.settings, name) for name in made.settings.__dataclass_fields__},
    )
    return judge(made.recipe.model, made.splits, folder, made.tree, embed, history)


def resume(
    folder: Path, *, steps: int | None = None, embed: bool = True, progress: bool = True
) -> dict[str, Any]:
    """Go on with a run and write its report anew."""
    config = run_folder.read_config(folder)
    tree = request_of(config, folder)
    if steps is not None:
        tree["train"] = {**tree["train"], "steps": steps}
    splits = reload(spec_of(config))
    shown = of_whom(run_folder.rebuild(config)[0], splits)
    callbacks = [Request(tree), Snapshots(shown, tree["seed"]), *bars(progress)]
    model, history = training.resume(folder, splits, steps=steps, callbacks=callbacks)
    return judge(model, splits, folder, tree, embed, history)


class Request:
    """A callback that writes what was asked for when training starts, as YAML to fit again.

    Args:
        tree: the completed configuration.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def on_fit_start(self, loop: Any) -> None:
        if loop.folder is not None and loop.leads:
            text = yaml.safe_dump(self.tree, sort_keys=False)
            write_text(loop.folder / summary.REQUEST, text)


def of_whom(model: Model, splits: Splits) -> Any:
    """Return the data that are shown as training goes on: such as the posterior knows."""
    return splits.train if keeps_rows(model) else splits.validation


def threads_of(folder: Path) -> int | None:
    """Return the number of threads a run was started with: another number rounds otherwise."""
    versions = run_folder.read_config(folder).get("versions")
    threads = str(versions.get("threads")) if isinstance(versions, dict) else ""
    return int(threads) if threads.isdecimal() and 0 < int(threads) <= MOST_THREADS else None


def request_of(config: dict[str, Any], folder: Path) -> Tree:
    """Return what a run was asked to do.

    Raises:
        UserError: it was fitted from Python, with data that cannot be found again; or what is
            recorded is no request.
    """
    if "request" not in config:
        raise UserError(f"{folder} was fitted from Python; go on with er.resume(folder, data)")
    if not isinstance(config["request"], dict):
        raise UserError(f"{folder / 'config.json'}: request is not a configuration")
    return complete(config["request"])


def judge(
    model: Model, splits: Splits, folder: Path, tree: Tree, embed: bool, history: History
) -> dict[str, Any]:
    """Evaluate a fitted model and write evaluation, figures, report and model card.

    Of several processes only the first one does; the others return nothing.
    """
    from elbowroom.evaluate.report import evaluate

    if rank_and_world()[0] != 0:
        return {}
    options = tree["evaluate"]
    kept, (model, judged) = keeps_rows(model), for_test(model, splits, tree["seed"])
    result = evaluate(
        model,
        judged,
        samples=options.get("samples", SAMPLES),
        seed=tree["seed"],
        limit=options.get("limit", TRAIN_LIMIT),
    )
    result |= {"part": "test"} if kept else {}
    result["training_seconds"] = {"value": history.seconds, "unit": "s"}
    config = run_folder.read_config(folder)
    made_by = build(config["objective"])
    if history.best is not None and history.rows and made_by.solved_by != "formula":
        last = history.rows[-1]["step"]
        result["kept_step"] = {"value": history.best_step, "unit": f"of {last:,}"}
        result["kept_step"] |= {"solved_by": made_by.solved_by} if made_by.solved_by else {}
    write_json(folder / "evaluation.json", result)
    drawn = figures.draw_all(model, judged, folder, tree["seed"])
    text = describe(model, made_by)
    summary.write(folder, splits.spec, config, result, drawn, text, embed)
    return result


def bars(progress: bool) -> list[Any]:
    return [ProgressBar()] if progress and sys.stderr.isatty() else []
