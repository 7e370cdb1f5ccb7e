"""Every command does what it says, and says it in the form that was asked for."""

from __future__ import annotations

import csv as tables
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from commands import SMALL, Outcome, digests, run
from PIL import Image

from elbowroom.cli.app import COMMANDS
from elbowroom.train.run_folder import load

RUN_FILES = {
    "config.json",
    "model.safetensors",
    "train.safetensors",
    "train.json",
    "metrics.jsonl",
    "evaluation.json",
    "report.html",
    "README.md",
    "request.yaml",
}


def good(*arguments: object) -> Outcome:
    done = run(*arguments)
    assert done.code == 0, done.err
    return done


def test_fit_writes_a_whole_run_folder(table_run: Path, picture_run: Path) -> None:
    for folder in (table_run, picture_run):
        assert {p.name for p in folder.iterdir()} >= RUN_FILES
        assert list((folder / "figures").glob("*.png"))
        assert not list(folder.rglob("*.part"))


def test_fit_says_what_it_recognised_and_chose(csv: Path, tmp_path: Path) -> None:
    done = good("fit", csv, "label=side", *SMALL, "--steps", 4, "--out", tmp_path / "run")
    assert "people.csv: rows of 3 columns, real numbers" in done.err
    assert "Standardised(Gaussian)" in done.err
    assert "networks mlp" in done.err
    assert "log p(x)" in done.out
    assert "report.html" in done.err


def test_quiet_says_nothing_but_results(csv: Path, tmp_path: Path) -> None:
    done = good("fit", csv, "label=side", *SMALL, "--steps", 4, "--out", tmp_path / "r", "--quiet")
    assert done.err == ""
    assert "log p(x)" in done.out


def test_json_is_one_object(table_run: Path, csv: Path, tmp_path: Path) -> None:
    calls = {
        "evaluate": ("evaluate", table_run, "--samples", 5),
        "compare": ("compare", table_run),
        "sample": ("sample", table_run, "-n", 3, "--out", tmp_path / "s.csv"),
        "encode": ("encode", table_run, csv, "--out", tmp_path / "e.csv"),
        "reconstruct": ("reconstruct", table_run, csv, "--out", tmp_path / "r.csv"),
        "interpolate": ("interpolate", table_run, "--pairs", 2, "--out", tmp_path / "i.csv"),
        "traverse": ("traverse", table_run, "--out", tmp_path / "t.csv"),
        "models": ("models",),
        "one model": ("models", "vae"),
        "datasets": ("datasets",),
        "one data set": ("datasets", "digits"),
        "reproduce": ("reproduce",),
    }
    for name, call in calls.items():
        done = good(*call, "--json")
        assert isinstance(done.json, dict), name


def test_evaluate_again_gives_the_recorded_figures(table_run: Path) -> None:
    """The run's own evaluation and the command's, with the same seed and samples, are one."""
    again = good("evaluate", table_run, "--samples", 3, "--limit", 20, "--json").json
    recorded = good("compare", table_run, "--json").json[str(table_run)]
    for key in ("log_marginal", "elbo", "kl", "reconstruction_error"):
        assert again[key]["value"] == pytest.approx(recorded[key]["value"], abs=1e-9)


def test_evaluate_other_data(table_run: Path, csv: Path) -> None:
    result = good("evaluate", table_run, csv, "--samples", 2, "--json").json
    assert np.isfinite(result["elbo"]["value"])


def test_sample_depends_on_the_seed_alone(table_run: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        good("sample", table_run, "-n", 5, "--seed", seed, "--out", tmp_path / f"{name}.npy")
    a, b, c = (np.load(tmp_path / f"{name}.npy") for name in "abc")
    assert a.shape == (5, 3)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_encode_is_the_posterior_mean_with_rows_and_labels(
    table_run: Path, csv: Path, tmp_path: Path
) -> None:
    good("encode", table_run, csv, "--out", tmp_path / "z.csv")
    with open(tmp_path / "z.csv", newline="") as handle:
        written = list(tables.DictReader(handle))
    with open(csv, newline="") as handle:
        source = list(tables.DictReader(handle))
    assert [r["label"] for r in written] == [r["side"] for r in source]
    assert [int(r["row"]) for r in written] == list(range(len(source)))
    x = torch.tensor([[float(r[k]) for k in ("height", "weight", "age")] for r in source])
    z = load(table_run).encode({"x": x})["z"]
    found = torch.tensor([[float(r["z[0]"]), float(r["z[1]"])] for r in written])
    assert torch.allclose(found, z, atol=1e-6)


@pytest.mark.parametrize("ending", ["csv", "npy", "npz", "parquet"])
def test_reconstruct_writes_every_ending(
    table_run: Path, csv: Path, tmp_path: Path, ending: str
) -> None:
    from elbowroom.data import load as read

    path = tmp_path / "deep" / f"r.{ending}"
    good("reconstruct", table_run, csv, "--out", path)
    splits = read(path)
    assert splits.spec.n_train + splits.spec.n_validation + splits.spec.n_test == 40
    if ending in ("csv", "parquet"):
        assert splits.spec.columns == ("height", "weight", "age")


def test_pictures_are_written_as_pictures(picture_run: Path, tmp_path: Path) -> None:
    for verb, options in {
        "sample": ("-n", 9),
        "interpolate": ("--pairs", 2),
        "traverse": ("--dimensions", 2),
    }.items():
        path = tmp_path / f"{verb}.png"
        good(verb, picture_run, *options, "--out", path)
        with Image.open(path) as picture:
            assert min(picture.size) > 50
            assert np.ptp(np.asarray(picture.convert("L"))) > 100, "not one flat colour"


def test_help_of_every_command_teaches() -> None:
    for name, command in COMMANDS.items():
        text = good(name, "--help").out
        assert command.__doc__ is not None
        assert command.__doc__.split(".")[0].split()[0] in text
        assert f"elbowroom {name}" in text.split("Example")[1], f"{name}: an example is missing"


def test_version() -> None:
    from elbowroom._version import __version__

    assert good("--version").out.strip() == f"elbowroom {__version__}"


def test_overwrite_replaces_and_without_it_nothing_changes(csv: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    fit = ("fit", csv, "label=side", *SMALL, "--steps", 4, "--out", folder, "-q")
    good(*fit)
    (folder / "mine.txt").write_text("a note")
    before = digests(folder)
    refused = run(*fit)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert "elbowroom resume" in refused.err
    assert digests(folder) == before
    good(*fit, "--seed", 5, "--overwrite")
    assert yaml.safe_load((folder / "request.yaml").read_text())["seed"] == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"], "nothing is left beside it"


def test_default_names_of_outputs(table_run: Path, picture_run: Path) -> None:
    assert good("sample", table_run, "-n", 2, "--json").json["file"].endswith("samples.csv")
    assert good("traverse", picture_run, "--json").json["file"].endswith("traversal.png")
