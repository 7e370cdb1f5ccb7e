"""Judging runs after the fact: again, on other data, or beside each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elbowroom.data import load_like, reload
from elbowroom.data.dataset import Splits
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.inference.held_out import for_test
from elbowroom.posteriors.per_datum import keeps_rows
from elbowroom.train import run_folder
from elbowroom.train.allocator import keep_freed_memory
from elbowroom.train.files import read_json
from elbowroom.workflow.conditions import needed

if TYPE_CHECKING:
    from elbowroom.evaluate.annealing import Annealing

SAMPLES = 1000
Progress = Callable[[str, float, int], None]


def splits_of(folder: Path, source: str | None, config: dict[str, Any]) -> Splits:
    """Return the run's own data, or all of other data as the test part, read as the run's were.

    Raises:
        UserError: the data are gone, have changed, or do not fit the run.
    """
    spec = spec_of(config)
    if source is None:
        return reload(spec)
    data = load_like(source, spec, needed(run_folder.load(folder)))
    return Splits(data.take(slice(0, 0)), data.take(slice(0, 0)), data, spec)


def spec_of(config: dict[str, Any]) -> DataSpec:
    """Return what a run recorded of its data.

    Raises:
        UserError: it was fitted to bare tensors, or the record is none.
    """
    if config.get("data") is None:
        raise UserError("this run recorded nothing of its data (it was fitted to bare tensors)")
    if not isinstance(config["data"], dict):
        raise UserError(f"config.json: data={config['data']!r:.80} is not a description of data")
    return DataSpec.from_dict(config["data"])


def evaluate_folder(
    folder: Path,
    source: str | None,
    samples: int | None,
    seed: int,
    limit: int | None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate the best model of a run on its test data, or on other data.

    Where `samples` is None it is what the run was asked for, else 1000.
    """
    from elbowroom.evaluate.report import evaluate

    config = run_folder.read_config(folder)
    splits = splits_of(folder, source, config)
    model = run_folder.load(folder)
    keep_freed_memory()
    if samples is None:
        samples = samples_asked(config)
    kept, (model, splits) = keeps_rows(model), for_test(model, splits, seed)
    result = evaluate(model, splits, samples, seed, limit, progress)
    return {**result, "part": "test"} if kept else result


def anneal_folder(
    folder: Path,
    source: str | None,
    method: str,
    settings: Annealing,
    seed: int,
    limit: int | None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge the best model of a run by annealing; see `annealed_report.anneal`."""
    from elbowroom.evaluate.annealed_report import anneal

    splits = splits_of(folder, source, run_folder.read_config(folder))
    model = run_folder.load(folder)
    keep_freed_memory()
    return anneal(model, splits, method, settings, seed, limit, progress)


def calibrate_folder(
    folder: Path,
    source: str | None,
    draws: int | None,
    seed: int,
    limit: int | None,
    figure: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Calibrate the best model of a run on data that it simulates; draw ranks into a file."""
    from elbowroom.evaluate.calibration_report import DRAWS, calibrate

    splits = splits_of(folder, source, run_folder.read_config(folder))
    model = run_folder.load(folder)
    keep_freed_memory()
    draws = DRAWS if draws is None else draws
    result, found = calibrate(model, splits, draws, seed, limit, progress)
    if figure is not None:
        from elbowroom.plots.ranks import rank_histograms
        from elbowroom.plots.style import save

        counts, expected = found.counts.numpy(), found.expected.numpy()
        words = found.readings()
        drawn = rank_histograms(counts, expected, found.names, found.corrected.tolist(), words)
        save(drawn, figure)
        result["figure"] = str(figure)
    return result


def samples_asked(config: dict[str, Any]) -> int:
    """Return how many samples a run was asked to be evaluated with, 1000 if nothing is known."""
    request = config.get("request")
    asked = request.get("evaluate") if isinstance(request, dict) else None
    samples = asked.get("samples") if isinstance(asked, dict) else None
    return samples if isinstance(samples, int) and samples > 0 else SAMPLES


def recorded(folder: Path) -> dict[str, Any]:
    """Read what a run's evaluation found.

    Raises:
        UserError: it was not evaluated (a run that was stopped), or the file is damaged.
    """
    path = folder / "evaluation.json"
    if not path.exists():
        raise UserError(f"{folder} was not evaluated; finish it with: elbowroom resume {folder}")
    result = read_json(path)
    if not isinstance(result, dict):
        raise UserError(f"{path} holds no figures; write it anew with: elbowroom resume {folder}")
    return result
