"""Folders and zip files of pictures, in every mode; idx files."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from elbowroom.data import Splits, load
from elbowroom.data.pictures import read_pictures


def _noise(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *shape)).astype(np.uint8)


def _rows(splits: Splits) -> set[bytes]:
    """All data of a set, whatever the split."""
    parts = (splits.train, splits.validation, splits.test)
    return {row.numpy().tobytes() for p in parts for row in p.columns["x"]}  # type: ignore[union-attr]


def _save(folder: Path, arrays: np.ndarray, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, array in enumerate(arrays):
        Image.fromarray(array).save(folder / f"{i:03d}{suffix}")
    return folder


def test_folder_of_colour_pictures(tmp_path: Path) -> None:
    arrays = _noise(12, 4, 5, 3)
    splits = load(_save(tmp_path, arrays))
    assert splits.spec.image == splits.spec.shape == (3, 4, 5)
    assert (splits.spec.kind, splits.spec.levels) == ("levels", 256)
    assert _rows(splits) == {a.transpose(2, 0, 1).tobytes() for a in arrays}


def test_zip_equals_folder_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    folder = _save(tmp_path / "faces", _noise(9, 4, 5))
    (folder / ".DS_Store.png").write_bytes(b"x")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._a.png").write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, Path("top") / path.relative_to(folder))
    a, b = load(folder), load(tmp_path / "faces.zip")
    assert a.spec.shape == (1, 4, 5)
    assert a.spec.fingerprint == b.spec.fingerprint


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    dark, light = np.full((6, 3, 3), 10, np.uint8), np.full((6, 3, 3), 200, np.uint8)
    _save(tmp_path / "dark", dark)
    _save(tmp_path / "light" / "deeper", light)
    splits = load(tmp_path)
    assert splits.spec.labels == ("dark", "light")
    columns = splits.train.columns  # type: ignore[union-attr]
    assert torch.equal(columns["label"] == 1, columns["x"][:, 0, 0, 0] == 200)


def test_train_and_test_folders_are_parts(tmp_path: Path) -> None:
    _save(tmp_path / "train" / "a", _noise(11, 3, 3))
    _save(tmp_path / "train" / "b", _noise(9, 3, 3))
    _save(tmp_path / "test" / "b", _noise(4, 3, 3) // 2)
    spec = load(tmp_path).spec
    assert (spec.n_train, spec.n_validation, spec.n_test) == (18, 2, 4)
    assert spec.labels == ("a", "b")


def test_modes_meet_in_eight_bits(tmp_path: Path) -> None:
    grey = _noise(1, 6, 6)[0]
    images = {
        "l.png": Image.fromarray(grey),
        "rgb.png": Image.fromarray(np.stack([grey] * 3, -1)),
        "rgba.png": Image.fromarray(np.dstack([grey, grey, grey, np.full_like(grey, 255)])),
        "la.png": Image.fromarray(grey).convert("LA"),
        "palette.png": Image.fromarray(grey).convert("P"),
        "sixteen.png": Image.fromarray(grey.astype(np.uint16) * 257),
        "picture.bmp": Image.fromarray(grey),
        "picture.gif": Image.fromarray(grey),
    }
    for name, image in images.items():
        image.save(tmp_path / name)
    raw = read_pictures(tmp_path)
    assert raw.x.shape == (8, 6, 6)
    assert all(np.array_equal(row, grey) for row in raw.x)


def test_bilevel_pictures_are_binary(tmp_path: Path) -> None:
    for i, array in enumerate(_noise(10, 5, 5)):
        Image.fromarray(array > 128).save(tmp_path / f"{i}.png")
    splits = load(tmp_path, binarize="threshold")
    assert splits.spec.kind == "binary"
    assert splits.train.columns["x"].max() == 1  # type: ignore[union-attr]


def test_transparency_is_laid_on_white_and_grey_joins_colour(tmp_path: Path) -> None:
    clear = np.zeros((2, 2, 4), np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 250
    Image.fromarray(red).save(tmp_path / "red.png")
    x = read_pictures(tmp_path).x
    assert (x[0] == 255).all()
    np.testing.assert_array_equal(x[1], red)


def test_size_cuts_the_centre_square_and_resizes(tmp_path: Path) -> None:
    wide = np.zeros((4, 10), np.uint8)
    wide[:, 3:7] = 90
    tall = np.full((8, 4), 17, np.uint8)
    tall[2:6] = 60
    Image.fromarray(wide).save(tmp_path / "a.png")
    Image.fromarray(tall).save(tmp_path / "b.png")
    x = read_pictures(tmp_path, size=4).x
    assert (x[0] == 90).all()
    assert (x[1] == 60).all()
    assert read_pictures(tmp_path, size=7).x.shape == (2, 7, 7)


def _idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_idx_file_finds_its_labels(tmp_path: Path, packed: str) -> None:
    images, labels = _noise(30, 4, 3), np.arange(30) % 3
    images[:, 0, 0] = labels
    _idx(tmp_path / f"train-images-idx3-ubyte{packed}", images)
    _idx(tmp_path / "train-labels-idx1-ubyte.gz", labels)
    splits = load(tmp_path / f"train-images-idx3-ubyte{packed}")
    assert splits.spec.shape == (1, 4, 3)
    assert splits.spec.labels == ("0", "1", "2")
    columns = splits.train.columns  # type: ignore[union-attr]
    assert torch.equal(columns["x"][:, 0, 0, 0].long(), columns["label"])


def test_idx_folder_has_official_parts(tmp_path: Path) -> None:
    train, test = _noise(30, 4, 3), _noise(6, 4, 3) // 2
    _idx(tmp_path / "train-images-idx3-ubyte.gz", train)
    _idx(tmp_path / "t10k-images-idx3-ubyte", test)
    splits = load(tmp_path)
    spec = splits.spec
    assert (spec.n_train, spec.n_validation, spec.n_test) == (24, 6, 6)
    assert torch.equal(splits.test.columns["x"][:, 0], torch.from_numpy(test))  # type: ignore[union-attr]
