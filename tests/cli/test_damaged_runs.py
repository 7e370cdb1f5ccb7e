"""A run folder that is damaged, foreign or hostile: one message, and not a byte is changed."""

from __future__ import annotations

import json
import pickle
import re
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import SMALL, digests, run, table
from safetensors.torch import load_file, save_file

RANDOM = np.random.default_rng(0).bytes(3000)
PICKLE = pickle.dumps({"weights": [1.0, 2.0]})
Damage = Callable[[Path], object]


def put(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


def cut(name: str) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return damage


def remove(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def change(*keys: str, to: Any) -> Damage:
    """Set one value of ``config.json``."""

    def damage(folder: Path) -> None:
        path = folder / "config.json"
        config = inner = json.loads(path.read_text())
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = to
        path.write_text(json.dumps(config))

    return damage


def scalars(**values: Any) -> Damage:
    """Change what ``train.safetensors`` says besides tensors."""

    def damage(folder: Path) -> None:
        path = folder / "train.safetensors"
        state = json.loads((folder / "train.json").read_text()) | values
        save_file(load_file(path), path, {"state": json.dumps(state)})

    return damage


# what is wrong: (the damage, the command, what the message says)
RUNS: dict[str, tuple[Damage, tuple[str, ...], str]] = {
    "no config": (remove("config.json"), ("resume",), r"config\.json does not exist"),
    "empty config": (put("config.json", b""), ("resume",), r"config\.json"),
    "truncated config": (cut("config.json"), ("sample",), r"config\.json"),
    "random config": (put("config.json", RANDOM), ("evaluate",), r"config\.json"),
    "deep config": (put("config.json", b"[" * 99999), ("sample",), r"config\.json"),
    "config of something else": (put("config.json", b'{"a": 1}'), ("resume",), "configuration"),
    "config that is a list": (put("config.json", b"[1]"), ("resume",), "configuration"),
    "newer format": (change("format", to=99), ("sample",), "newer"),
    "format of another sort": (change("format", to="x"), ("sample",), "newer|format"),
    "model is a number": (change("model", to=3), ("sample",), "model"),
    "model is a list": (change("model", to=[]), ("resume",), "model"),
    "model of an unknown type": (change("model", "type", to="modle"), ("sample",), "model"),
    "type of Python": (change("model", "type", to="os:system"), ("sample",), "unknown type"),
    "argument of another sort": (
        change("model", "prior", "sites", "z", "dim", to="two"),
        ("sample",),
        "dim",
    ),
    "model of another size": (
        change("model", "likelihood", "sites", "x", "net", "hidden", to=[9]),
        ("sample",),
        "does not fit",
    ),
    "objective is none": (change("objective", to=None), ("resume",), "objective"),
    "settings are a list": (change("train", to=[1]), ("resume",), "train"),
    "setting of another sort": (change("train", "batch_size", to="x"), ("resume",), "batch_size"),
    "rate of another sort": (
        change("train", "learning_rate", to=[]),
        ("resume",),
        "learning_rate",
    ),
    "unknown setting": (change("train", "stesp", to=3), ("resume",), "steps"),
    "request is a number": (change("request", to=3), ("resume",), "request"),
    "request without data": (change("request", "data", to={}), ("resume",), "data"),
    "data are a number": (change("data", to=3), ("sample",), "data"),
    "data of another shape": (change("data", "shape", to=["a"]), ("sample",), "shape"),
    "data of unknown kind": (change("data", "kind", to="sound"), ("sample",), "sound"),
    "data without a name": (change("data", to={}), ("evaluate",), "name"),
    "no weights": (remove("model.safetensors"), ("sample",), r"model\.safetensors"),
    "truncated weights": (cut("model.safetensors"), ("sample",), r"model\.safetensors"),
    "empty weights": (put("model.safetensors", b""), ("evaluate",), r"model\.safetensors"),
    "weights are a pickle": (put("model.safetensors", PICKLE), ("sample",), "safetensors"),
    "random weights": (put("model.safetensors", RANDOM), ("traverse",), "safetensors"),
    "no checkpoint": (remove("train.safetensors"), ("resume",), r"train\.safetensors"),
    "truncated checkpoint": (cut("train.safetensors"), ("resume",), r"train\.safetensors"),
    "checkpoint is a pickle": (put("train.safetensors", PICKLE), ("resume",), "safetensors"),
    "weights for a checkpoint": (
        lambda f: shutil.copy(f / "model.safetensors", f / "train.safetensors"),
        ("resume",),
        "no resume state",
    ),
    "newer checkpoint": (scalars(format=99), ("resume",), "newer"),
    "progress of another sort": (scalars(progress={"step": "x"}), ("resume",), "resume state"),
    "players of another run": (scalars(optimizers={"critic": []}), ("resume",), "critic"),
    "metrics in shreds": (put("metrics.jsonl", b"{}\n" + RANDOM), ("resume",), r"metrics.*line 1"),
    "pictures in shreds": (put("figures/snapshots.npz", RANDOM), ("resume",), "snapshots"),
    "never evaluated": (remove("evaluation.json"), ("compare",), "elbowroom resume"),
    "evaluation in shreds": (put("evaluation.json", RANDOM), ("compare",), "evaluation"),
    "evaluation of another sort": (put("evaluation.json", b"[]"), ("compare",), "evaluation"),
}


@pytest.fixture
def copy(table_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(table_run, tmp_path / "run")


@pytest.mark.parametrize("case", RUNS)
def test_run_folder(case: str, copy: Path) -> None:
    damage, (verb, *options), said = RUNS[case]
    damage(copy)
    refused(said, copy, verb, copy, *options)


def test_no_run_at_all(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for verb in ("resume", "evaluate", "sample", "traverse", "interpolate", "compare"):
        refused(r"config\.json", tmp_path, verb, tmp_path / "empty")
        refused(r"config\.json", tmp_path, verb, tmp_path / "nowhere")


def test_data_changed_or_gone(tmp_path: Path) -> None:
    source, folder = tmp_path / "d.csv", tmp_path / "run"
    source.write_text(table())
    fit = ("fit", source, "label=side", *SMALL, "--steps", 3, "--out", folder, "-q")
    assert run(*fit).code == 0
    source.write_text(table().replace("up", "upper"))
    assert run("resume", folder, "-q").code == 0, "a label's name is not data"
    source.write_text(table(39))
    for verb in ("resume", "evaluate", "interpolate"):
        refused("changed since", tmp_path, verb, folder)
    source.unlink()
    refused(r"d\.csv", tmp_path, "resume", folder)


def test_other_data_that_do_not_fit(table_run: Path, tmp_path: Path) -> None:
    (tmp_path / "narrow.csv").write_text("height,age\n1,2\n3,4\n")
    for verb in ("evaluate", "encode", "reconstruct"):
        out = () if verb == "evaluate" else ("--out", tmp_path / "out.csv")
        refused("weight", tmp_path, verb, table_run, tmp_path / "narrow.csv", *out)


def test_runs_of_different_data_do_not_compare(table_run: Path, picture_run: Path) -> None:
    refused("different data", table_run, "compare", table_run, picture_run)


# what is wrong with an output: (its name, what the message says)
OUTPUTS = {
    "no ending": ("samples", "ending"),
    "unknown ending": ("samples.txt", "ending"),
    "pictures of a table": ("samples.png", "no pictures"),
    "under a file": ("config.json/samples.csv", "config.json|samples.csv"),
    "a folder": ("figures.csv", "figures.csv"),
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_output(case: str, copy: Path) -> None:
    (copy / "figures.csv").mkdir()
    name, said = OUTPUTS[case]
    refused(said, copy, "sample", copy, "--out", copy / name)


def test_run_folder_under_a_file(csv: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    refused(
        "file",
        tmp_path,
        "fit",
        csv,
        "drop=[side]",
        "--steps",
        2,
        "--out",
        tmp_path / "file" / "run",
    )
    refused("file", tmp_path, "fit", csv, "drop=[side]", "--steps", 2, "--out", tmp_path / "file")


def test_overwrite_does_not_delete_what_is_no_run(csv: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    arguments = ("drop=[side]", "--steps", 2, "--out", tmp_path / "thesis", "--overwrite")
    refused("not a run folder", tmp_path, "fit", csv, *arguments)


def test_read_only_folder(csv: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Injected, since tests may run as root, whom modes do not stop."""

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", denied)
    again = ("drop=[side]", "--steps", 2, "--out", copy, "--overwrite")
    refused("cannot write.*Permission denied", copy, "fit", csv, *again)
    refused("cannot write.*Permission denied", copy, "sample", copy)
    refused("cannot write.*Permission denied", copy, "resume", copy, "--steps", 30)


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """Let no file grow beyond some bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_full_disk(csv: Path, copy: Path) -> None:
    with small_disk(200):
        again = ("drop=[side]", "--steps", 2, "--out", copy, "--overwrite")
        refused("cannot write.*large", copy, "fit", csv, *again)
        refused("cannot write.*large", copy, "sample", copy, "-n", 100)
        refused("cannot write.*large", copy, "encode", copy, csv, "--out", copy / "z.npz")


def test_disk_that_fills_up_in_training(copy: Path) -> None:
    """The checkpoint that stands stays whole, and the run goes on when there is room again."""
    before = (copy / "train.safetensors").read_bytes()
    with small_disk(5000):
        done = run("resume", copy, "--steps", 30, "-q")
    assert done.code == 2, done.err
    assert re.search("cannot write", done.err)
    assert (copy / "train.safetensors").read_bytes() == before
    assert not list(copy.rglob("*.part"))
    assert run("resume", copy, "--steps", 30, "-q").code == 0


def refused(said: str, folder: Path, *arguments: object) -> None:
    """Run a command that must fail with one message and leave every byte as it was."""
    before = digests(folder)
    done = run(*arguments)
    assert done.code == 2, (done.code, done.out, done.err)
    assert done.out == ""
    *announced, message = done.err.strip().splitlines()
    assert re.search(said, message), done.err
    assert message.startswith("elbowroom: ")
    assert not any(line.startswith("elbowroom: ") for line in announced)
    assert digests(folder) == before
