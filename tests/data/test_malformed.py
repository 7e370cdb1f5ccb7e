"""Every malformed input gives one message that names the file, never another exception."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from elbowroom.data import load
from elbowroom.errors import UserError


def _npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


def _npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _png(*size: int, mode: str = "L") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, 3).save(stream, "png")
    return stream.getvalue()


def _zip(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.png", content)
    return stream.getvalue()


def _idx(*shape: int, code: int = 8, content: bytes | None = None) -> bytes:
    body = bytes(range(int(np.prod(shape)))) if content is None else content
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + body


RANDOM = np.random.default_rng(0).bytes(3000)
TABLE = "a,b,c\n" + "".join(f"{i},{i * 0.5},{-i}\n" for i in range(12))
WITH_NAN = np.arange(24.0).reshape(6, 4)
WITH_NAN[4, 2] = np.nan
WITH_INF = np.arange(24.0).reshape(6, 4)
WITH_INF[0, 3] = -np.inf
CONSTANT = np.arange(24.0).reshape(12, 2)
CONSTANT[:, 1] = 2.5
HUGE_HEADER = _npy(np.zeros(4)).replace(b"(4,), }" + b" " * 9, b"(9999999999,), }")

CASES: dict[str, tuple[str, bytes, str]] = {
    "empty csv": ("d.csv", b"", "empty"),
    "blank csv": ("d.csv", b"\n\n  \n", "no rows"),
    "header only": ("d.csv", b"a,b,c\n", "no rows"),
    "text in a numeric column": (
        "d.csv",
        TABLE.replace("7,3.5", "7,seven").encode(),
        r"row 8 \(line 9\), column 'b': 'seven'",
    ),
    "text column": (
        "d.csv",
        b"n,x\n" + b"".join(b"w%d,%d.5\n" % (i, i) for i in range(9)),
        r"columns 'n' are not numbers.*drop=\['n'\]",
    ),
    "ragged row": ("d.csv", TABLE.replace("7,3.5,-7", "7,3.5").encode(), "line 9 has 2 cells"),
    "inf cell": ("d.csv", TABLE.replace("7,3.5,-7", "7,inf,-7").encode(), "row 8.*'b'.*inf"),
    "repeated name": ("d.csv", TABLE.replace("a,b,c", "a,b,a").encode(), "'a' occurs more than"),
    "constant column": (
        "d.csv",
        b"a,b\n" + b"".join(b"%d.5,7.25\n" % i for i in range(12)),
        r"constant.*'b'.*drop=\['b'\]",
    ),
    "one value only": ("d.csv", b"a,b\n1,1\n1,1\n1,1\n", "every value is 1"),
    "not UTF-8": (
        "d.csv",
        TABLE.replace("a,b", "gr\xf6\xdfe,b").encode("latin-1"),
        "line 1.*0xf6",
    ),
    "zero byte": ("d.csv", TABLE.replace("7,3.5", "7,\0").encode(), "line 9 holds a zero byte"),
    "random bytes as csv": ("d.csv", RANDOM, "line 1 holds bytes"),
    "one row csv": ("d.csv", b"a,b\n1.5,2.5\n", "1 row cannot be split"),
    "two rows csv": ("d.csv", b"a,b\n1.5,2.5\n2,3\n", "2 rows cannot be split"),
    "truncated csv.gz": ("d.csv.gz", gzip.compress(TABLE.encode() * 50)[:-40], "cut short"),
    "no gzip": ("d.csv.gz", TABLE.encode(), "d.csv.gz"),
    "empty gz": ("d.csv.gz", gzip.compress(b""), "empty"),
    "huge number": ("d.csv", b"a,b\n1e300,2.5\n2,3\n4,5\n6,7.5\n", "does not fit in float32"),
    "unclosed quote": ("d.csv", b'a,b\n1,"2\n3,4\n5,6\n', "line 4: unexpected end"),
    "empty npy": ("d.npy", b"", "empty"),
    "truncated npy": ("d.npy", _npy(np.arange(400.0).reshape(100, 4))[:-64], "cut short"),
    "header of npy cut": ("d.npy", _npy(np.zeros((5, 2)))[:30], r"d\.npy"),
    "header that lies": ("d.npy", HUGE_HEADER, "cut short"),
    "random bytes as npy": ("d.npy", RANDOM, "not a .npy file"),
    "pickled npy": ("d.npy", _npy(np.array([[{}], [2]], object), True), "pickled Python objects"),
    "pickle as npy": ("d.npy", b"\x80\x04N.", "not a .npy file"),
    "0-d": ("d.npy", _npy(np.array(3.0)), r"shape \(\)"),
    "1-d": ("d.npy", _npy(np.arange(9.0)), r"shape \(9,\)"),
    "zero rows": ("d.npy", _npy(np.zeros((0, 4))), "no rows"),
    "zero columns": ("d.npy", _npy(np.zeros((4, 0))), "no column"),
    "one row": ("d.npy", _npy(np.arange(4.0)[None]), "1 row cannot be split"),
    "complex": ("d.npy", _npy(np.ones((4, 4), complex)), "complex numbers"),
    "strings": ("d.npy", _npy(np.array([["a", "b"]] * 4)), "text"),
    "records": ("d.npy", _npy(np.zeros(4, [("a", "f4")])), "records"),
    "dates": ("d.npy", _npy(np.zeros((4, 2), "datetime64[s]")), "dates"),
    "nothing but NaN": ("d.npy", _npy(np.full((6, 4), np.nan)), "every value is missing"),
    "a column of NaN": (
        "d.npy",
        _npy(np.where([1, 0], WITH_NAN[:, :2], np.nan)),
        "missing in column 2",
    ),
    "inf": ("d.npy", _npy(WITH_INF), "row 1, column 4: the value is -inf"),
    "NaN in pictures": ("d.npy", _npy(WITH_NAN.reshape(6, 2, 2)), r"row 5, entry \(1, 0\)"),
    "constant npy column": ("d.npy", _npy(CONSTANT), r"d\.npy: constant.*'column 2'"),
    "all zeros": ("d.npy", _npy(np.zeros((9, 4), np.uint8)), "every value is 0"),
    "empty npz": ("d.npz", b"", "empty"),
    "truncated npz": ("d.npz", _npz(x=np.arange(400.0).reshape(100, 4))[:-200], r"d\.npz"),
    "random bytes as npz": ("d.npz", RANDOM, "not a .npz file"),
    "pickled npz": ("d.npz", _npz(x=np.array([[{}]], object)), "pickled Python objects"),
    "npz of unequal lengths": (
        "d.npz",
        _npz(a=np.eye(4), b=np.eye(5)),
        "one number of rows, not {'a': 4, 'b': 5}; or name the data 'x'",
    ),
    "npz with a constant modality": ("d.npz", _npz(a=np.eye(4), b=np.ones((4, 2))), r"d\.npz/b"),
    "npz with a strange name": ("d.npz", _npz(**{"a": np.eye(4), "b.c": np.eye(4)}), "'b.c'"),
    "npz of nothing": ("d.npz", _npz(), "no array"),
    "npz label length": ("d.npz", _npz(x=WITH_INF, y=np.zeros(5)), r"labels have shape \(5,\)"),
    "npz parts differ": (
        "d.npz",
        _npz(x_train=np.ones((4, 2)), x_test=np.ones((4, 3))),
        "different shapes",
    ),
    "empty zip": ("d.zip", b"", "zip file"),
    "truncated zip": ("d.zip", _zip(a=_png(4, 4), b=_png(4, 4))[:-60], "zip file"),
    "zip without pictures": ("d.zip", _zip(), "no pictures"),
    "corrupt member": ("d.zip", _zip(a=_png(4, 4), b=_png(4, 4)[:40]), r"d\.zip/b\.png: damaged"),
    "member of noise": ("d.zip", _zip(a=_png(4, 4), b=RANDOM), r"d\.zip/b\.png: damaged"),
    "mixed sizes": ("d.zip", _zip(a=_png(4, 4), b=_png(5, 4)), r"b\.png: 4×5 pixels.*size=64"),
    "idx of noise": ("d.idx", RANDOM, "not an idx file"),
    "idx too short": ("d.idx", _idx(5, 2, 2)[:-3], "promises 20 bytes"),
    "idx too long": ("d.idx", _idx(5, 2, 2) + b"x", "promises 20 bytes"),
    "idx header cut": ("d.idx", _idx(5, 2, 2)[:7], "header is cut short"),
    "idx truncated gz": ("t-ubyte.gz", gzip.compress(_idx(5, 5, 5))[:-12], "cut short"),
    "empty parquet": ("d.parquet", b"", "empty"),
    "parquet of noise": ("d.parquet", RANDOM, r"d\.parquet"),
    "unknown ending": ("d.xyz", b"1,2\n", "does not say what it holds"),
    "one picture": ("d.png", _png(4, 4), "the folder that holds it"),
}


@pytest.mark.parametrize("case", CASES)
def test_malformed_file(case: str, tmp_path: Path) -> None:
    name, content, message = CASES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path / name)
    assert name in str(caught.value)


def _in_memory() -> dict[str, tuple[Callable[[], object], str]]:
    return {
        "ragged list": (lambda: load([[1.0, 2.0], [3.0]]), "array"),
        "objects": (lambda: load(np.array([[None, 1]] * 4)), "Python objects"),
        "None": (lambda: load(None), "array"),
        "complex tensor": (lambda: load(torch.zeros(4, 2, dtype=torch.complex64)), "complex"),
        "no such name": (lambda: load("mnits"), "Did you mean 'mnist'"),
        "no such file": (lambda: load("nowhere/data.csv"), "no such file or folder"),
        "limit 0": (lambda: load("digits", limit=0), "limit must be at least 1"),
        "size": (lambda: load("digits", size=-1), "size must be"),
        "image": (lambda: load("digits", image=(1, 2)), "image must be"),
        "image that misfits": (lambda: load(np.eye(8), image=(1, 3, 3)), "does not fit"),
        "binarisation": (lambda: load("digits", binarize="dynamc"), "Did you mean 'dynamic'"),
        "kind": (lambda: load("digits", kind="reel"), "Did you mean 'real'"),
        "binary that is not": (lambda: load("digits", kind="binary"), "binarize='dynamic'"),
        "levels that are not": (lambda: load("iris", kind="levels"), "not integers 0 to 255"),
        "reals binarised": (lambda: load("iris", binarize="static"), "probabilities of a one"),
        "contradiction": (lambda: load("digits-static", binarize="dynamic"), "the name asks for"),
        "column": (lambda: load("wine", drop=["alcohl"]), "Did you mean 'alcohol'"),
        "columns of pictures": (lambda: load("digits", drop=["a"]), "tables only"),
        "nothing left": (
            lambda: load(np.eye(4), drop=[f"column {i}" for i in range(1, 5)]),
            "left",
        ),
    }


@pytest.mark.parametrize("case", _in_memory())
def test_malformed_argument(case: str) -> None:
    call, message = _in_memory()[case]
    with pytest.raises(UserError, match=message):
        call()


def test_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("none")
    with pytest.raises(UserError, match="holds no pictures"):
        load(tmp_path)


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d.csv").write_text(TABLE)

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UserError, match=r"d\.csv: no permission"):
        load(tmp_path / "d.csv")


def test_zip_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from elbowroom.data import pictures

    monkeypatch.setattr(pictures, "MEMBER_LIMIT", 2**24)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"\0" * (pictures.MEMBER_LIMIT + 1))
    assert path.stat().st_size < 2**20
    with pytest.raises(UserError, match="refused"):
        load(path)


def test_picture_bomb_is_refused(tmp_path: Path) -> None:
    Image.new("1", (9500, 9500)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png: cannot be read as a picture"):
        load(tmp_path)


def test_zip_member_outside_is_read_in_memory_only(tmp_path: Path) -> None:
    path = tmp_path / "in" / "d.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(4):
            stream = io.BytesIO()
            Image.fromarray(np.full((4, 4), 9 * i, np.uint8)).save(stream, "png")
            archive.writestr(f"../evil{i}.png", stream.getvalue())
    assert load(path).spec.image == (1, 4, 4)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["d.zip"]
