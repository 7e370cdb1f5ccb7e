"""Built-in sets: the bundled ones whole, the others where their files are at hand."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path
from types import ModuleType

import numpy as np
import pooch
import pytest
import sklearn.datasets
import torch

from elbowroom import data
from elbowroom.data import builtin, fetch
from elbowroom.data.builtin import BUILTIN, Builtin
from elbowroom.data.fetch import File
from elbowroom.errors import UserError

BUNDLED = [name for name, entry in BUILTIN.items() if not entry.files]
FILED = [name for name, entry in BUILTIN.items() if entry.files]


def _load(name: str, **options) -> data.Splits:
    if "absent" in (where := data.describe(name)["where"]) or "sha256" in where:
        pytest.skip(f"{name} is not at hand: set {fetch.VARIABLE}")
    return data.load(name, **options)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without data or network; returns its cache folder."""

    def refuse(*_: object) -> None:
        raise OSError("no network")

    monkeypatch.delenv(fetch.VARIABLE, raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda _: tmp_path / "cache")
    monkeypatch.setattr(pooch, "retrieve", refuse)
    return tmp_path / "cache"


def _agrees_with_table(name: str, splits: data.Splits) -> None:
    entry, spec = BUILTIN[name], splits.spec
    assert (spec.shape, spec.kind) == (entry.shape, entry.kind)
    assert spec.n_train + spec.n_validation + spec.n_test == entry.rows
    assert (spec.citation, spec.licence) == (entry.citation, entry.licence)


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets(name: str) -> None:
    _agrees_with_table(name, data.load(name))


def test_bundled_values_are_scikit_learns() -> None:
    bunch = sklearn.datasets.load_wine()
    splits = data.wine()
    parts = (splits.train, splits.validation, splits.test)
    x = torch.cat([p.columns["x"] for p in parts])  # type: ignore[union-attr]
    expected = torch.from_numpy(bunch.data).float()
    torch.testing.assert_close(x.double().sum(0), expected.double().sum(0))
    assert splits.spec.labels == ("class_0", "class_1", "class_2")
    assert splits.spec.columns == tuple(bunch.feature_names)
    digits = data.digits().train.columns  # type: ignore[union-attr]
    images = {i.astype(np.uint8).tobytes(): int(t) for i, t in _digits()}
    assert all(images[x.numpy().tobytes()] == y for x, y in zip(digits["x"], digits["label"]))


def _digits() -> list[tuple[np.ndarray, int]]:
    bunch = sklearn.datasets.load_digits()
    return list(zip(bunch.images, bunch.target))


@pytest.mark.data
@pytest.mark.parametrize("name", [n for n in FILED if BUILTIN[n].kind != "several"])  # made: slow
def test_filed_sets(name: str) -> None:
    _agrees_with_table(name, _load(name))


@pytest.mark.data
def test_mnist_is_mnist() -> None:
    splits = _load("mnist", flatten=True)
    test = splits.test.columns  # type: ignore[union-attr]
    assert test["label"][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert (splits.spec.n_train, splits.spec.n_validation) == (50_000, 10_000)
    counts = torch.bincount(test["label"])
    assert counts.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    mean = splits.train.columns["x"].double().mean() / 255  # type: ignore[union-attr]
    assert mean.item() == pytest.approx(0.1307, abs=5e-4)


@pytest.mark.data
def test_static_mnist_original_text_gives_the_same(tmp_path: Path) -> None:
    splits = _load("mnist-static")
    rows = splits.test.columns["x"][:7].flatten(1).numpy()  # type: ignore[union-attr]
    paths = []
    for part in ("train", "valid", "test"):
        paths.append(tmp_path / f"{part}.amat")
        paths[-1].write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
    raw = BUILTIN["mnist-static"].read(paths)
    assert raw.x.shape == (21, 28, 28)
    np.testing.assert_array_equal(raw.x[7:14].reshape(7, 784), rows)


def test_names_and_descriptions() -> None:
    assert {"digits", "mnist", "mnist-static", "mnist-dynamic", "celeba"} <= set(data.names())
    for name in data.names():
        about = data.describe(name)
        assert all(
            about[key] for key in ("title", "shape", "rows", "citation", "licence", "where")
        )
    assert data.describe("frey-static")["kind"] == "binary"
    with pytest.raises(UserError, match="Did you mean 'mnist'"):
        data.describe("mnits")


def test_every_set_has_its_function() -> None:
    for name in BUILTIN:
        function = getattr(data, {"20news": "newsgroups"}.get(name, name.replace("-", "_")))
        if isinstance(function, ModuleType):
            continue  # a generator with options of its own
        assert function.args == (name,)


@pytest.mark.parametrize("name", FILED)
def test_absent_set_says_which_file_goes_where(name: str, empty: Path) -> None:
    with pytest.raises(UserError) as caught:
        data.load(name)
    shown = next((f for f in BUILTIN[name].files if all(x.url for x in f)), BUILTIN[name].files[0])
    assert shown[0].path in str(caught.value)
    assert shown[0].sha256 in str(caught.value)
    assert fetch.VARIABLE in str(caught.value)
    assert str(empty) in str(caught.value)


def _idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def toy(empty: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A built-in set `toy` of four small idx files; returns their unpacked contents by path."""
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 3))
    contents = {
        "toy/train.idx.gz": _idx(images[:30]),
        "toy/train-y.idx.gz": _idx(np.arange(30) % 2),
        "toy/test.idx.gz": _idx(images[30:]),
        "toy/test-y.idx.gz": _idx(np.arange(10) % 2),
    }
    files = tuple(
        File(path, hashlib.sha256(content).hexdigest(), f"http://toy/{path}")
        for path, content in contents.items()
    )
    read = BUILTIN["mnist"].read
    entry = Builtin("toy", (1, 3, 3), "levels", 40, read, "nobody", "none", (files,))
    monkeypatch.setitem(builtin.BUILTIN, "toy", entry)
    return contents


def _put(folder: Path, contents: dict[str, bytes], level: int = 9) -> None:
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(gzip.compress(content, level))


@pytest.mark.parametrize("level", [1, 9])
def test_named_folder_comes_first_however_packed(
    toy: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: int
) -> None:
    _put(tmp_path / "mine", toy, level)
    monkeypatch.setenv(fetch.VARIABLE, str(tmp_path / "mine"))
    assert data.load("toy").spec.n_test == 10
    assert str(tmp_path / "mine") in data.describe("toy")["where"]


def test_damaged_file_is_named(toy: dict[str, bytes], empty: Path) -> None:
    _put(empty, toy | {"toy/test.idx.gz": toy["toy/test.idx.gz"][:-1] + b"\0"})
    with pytest.raises(UserError, match=r"toy/test\.idx\.gz: damaged"):
        data.load("toy")
    (empty / "toy/test.idx.gz").write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(UserError, match=r"toy/test\.idx\.gz"):
        data.load("toy")


def test_fetching_fills_the_cache_once_and_refuses_other_contents(
    toy: dict[str, bytes], empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def retrieve(url: str, _: None, name: str, folder: Path) -> None:
        asked.append(url)
        path = "toy/" + name
        content = b"something else" if wrong and name == "test.idx.gz" else toy[path]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(gzip.compress(content))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    wrong = True
    with pytest.raises(UserError, match="damaged or another file"):
        data.load("toy")
    assert not (empty / "toy/test.idx.gz").exists()
    wrong = False
    assert data.load("toy").spec.n_train == 20
    assert asked.count("http://toy/toy/train.idx.gz") == 1
    assert data.load("toy").spec.n_train == 20
    assert len(asked) == 5
