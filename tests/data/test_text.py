"""Sentences and molecules as token numbers, and back."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from elbowroom.data import DataSpec, load, load_like, reload
from elbowroom.data.text import END, PAD, RESERVED, UNKNOWN, count_tokens, number, sentences
from elbowroom.errors import UserError

LINES = [f"the {'small ' * (i % 3)}cat {'sat' if i % 2 else 'ran'}" for i in range(60)]


def write(path: Path, lines: list[str]) -> Path:
    content = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_numbers_follow_falling_frequency_and_rows_end_and_are_padded() -> None:
    found = count_tokens([["b", "a", "b"], ["c", "a", "b"]])
    assert found == (*RESERVED, "b", "a", "c")
    x, cut = number([["a"], ["b", "new", "c"], ["a", "b", "c", "a"]], found, 4)
    assert x.tolist() == [[5, END, PAD, PAD], [4, UNKNOWN, 6, END], [5, 4, 6, END]]
    assert (x.dtype, cut) == (np.int64, 1)


@pytest.mark.parametrize("name", ["s.txt", "s.txt.gz"])
def test_text_files(name: str, tmp_path: Path) -> None:
    splits = load(write(tmp_path / name, [*LINES, "", "  "]))
    spec = splits.spec
    assert (spec.kind, spec.shape, spec.levels) == ("tokens", (6,), 9)
    assert spec.vocabulary is not None
    assert spec.vocabulary[:4] == RESERVED
    assert set(spec.vocabulary[4:7]) == {"cat", "small", "the"}
    assert spec.n_train + spec.n_validation + spec.n_test == 60
    assert splits.train.batch(torch.arange(2))["x"].dtype == torch.int64
    written = [
        line
        for part in (splits.train, splits.validation, splits.test)
        for line in sentences(part.columns["x"], spec)  # type: ignore[union-attr]
    ]
    assert sorted(written) == sorted(" ".join(line.split()) for line in LINES)
    assert reload(DataSpec.from_dict(spec.to_dict())).spec == spec


def test_the_vocabulary_is_that_of_the_training_part_alone(tmp_path: Path) -> None:
    lines = [f"common own{i}" for i in range(50)]
    splits = load(write(tmp_path / "s.txt", lines))
    assert len(splits.spec.vocabulary or ()) == 4 + 1 + splits.spec.n_train
    test = splits.test.columns["x"]  # type: ignore[union-attr]
    assert (test[:, 1] == UNKNOWN).all()
    assert (splits.train.columns["x"] != UNKNOWN).all()  # type: ignore[union-attr]


def test_vocabulary_and_length_can_be_limited(tmp_path: Path) -> None:
    spec = load(write(tmp_path / "s.txt", LINES), vocabulary=6, length=4).spec
    assert len(spec.vocabulary or ()) == 6
    assert set((spec.vocabulary or ())[4:]) < {"cat", "small", "the"}
    assert spec.shape == (4,)
    assert "sentences were cut to 4 tokens" in spec.note
    with pytest.raises(UserError, match="vocabulary=4"):
        load(tmp_path / "s.txt", vocabulary=4)
    with pytest.raises(UserError, match="length=1"):
        load(tmp_path / "s.txt", length=1)


def test_prepared_corpora_write_unknown_words_themselves() -> None:
    spec = load(["a <unk> b"] * 20).spec
    assert spec.vocabulary == (*RESERVED, "a", "b")
    assert load_like(["a <unk> new"], spec).columns["x"].tolist() == [[4, 3, 3, 2]]


def test_new_sentences_are_numbered_as_in_training() -> None:
    spec = load(LINES).spec
    data = load_like(["the cat", "the cat " * 5, "dog"], spec)
    the, cat = (spec.vocabulary or ()).index("the"), (spec.vocabulary or ()).index("cat")
    rows = [[the, cat, END, 0, 0, 0], [the, cat, the, cat, the, END], [UNKNOWN, END, 0, 0, 0, 0]]
    assert data.columns["x"].tolist() == rows
    with pytest.raises(UserError, match="holds no sentences"):
        load_like(np.eye(3), spec)
    with pytest.raises(UserError, match="holds sentences"):
        load_like(["a b"], load("iris").spec)


def test_limit_counts_before_the_vocabulary(tmp_path: Path) -> None:
    splits = load(write(tmp_path / "s.txt", [f"w{i}" for i in range(100)]), limit=5)
    assert [len(p) for p in (splits.train, splits.validation, splits.test)] == [5, 5, 5]
    assert len(splits.spec.vocabulary or ()) == 9
    assert (splits.train.columns["x"][:, 0] > UNKNOWN).all()  # type: ignore[union-attr]


def test_molecules_are_cut_into_atoms_and_bonds(tmp_path: Path) -> None:
    lines = ["SMILES name", "CC(=O)Cl first", "c1ccccc1[N+](=O)[O-] second"] + ["CBr x"] * 20
    splits = load(write(tmp_path / "m.smi", lines))
    spec = splits.spec
    assert spec.n_train + spec.n_validation + spec.n_test == 22
    assert {"Br"} < set(spec.vocabulary or ())
    assert "r" not in (spec.vocabulary or ())
    one = load_like(["CBr"], spec)
    assert sentences(one.columns["x"], spec) == ["CBr"]
    letters = load(tmp_path / "m.smi", notation="characters").spec
    assert "r" in (letters.vocabulary or ())
    with pytest.raises(UserError, match="Did you mean 'selfies'"):
        load(tmp_path / "m.smi", notation="selfie")


def test_lines_that_a_notation_cannot_write_are_left_out_and_named(tmp_path: Path) -> None:
    path = write(tmp_path / "m.smi", ["CCO", "C?!C", "CN", *["CCN"] * 30, "C!", "CC"])
    spec = load(path).spec
    assert spec.n_train + spec.n_validation + spec.n_test == 33
    assert "2 of 35 lines cannot be read as smiles and were left out" in spec.left_out
    assert "row 2 (line 2) 'C?!C', row 34 (line 34) 'C!'" in spec.description
    with pytest.raises(UserError, match=r"row 2 \(line 2\): 'C\?!C' cannot be read"):
        load_like(path, spec)


def test_a_file_of_which_much_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.smi", ["CCO", "C?!C", "CN"] * 10)
    with pytest.raises(UserError, match=r"10 of 30 lines .* more than 10%: row 2 .*, …\. Mend"):
        load(path)


def test_a_text_file_of_numbers_is_a_table_unless_said_otherwise(tmp_path: Path) -> None:
    rows = [f"{i} {i * i}.5 {-i}" for i in range(30)]
    assert load(write(tmp_path / "t.txt", rows)).spec.kind == "real"
    assert load(write(tmp_path / "h.txt", ["a b c", *rows])).spec.columns == ("a", "b", "c")
    assert load(tmp_path / "t.txt", kind="tokens").spec.kind == "tokens"
    spec = load(write(tmp_path / "w.txt", ["three short words"] * 30)).spec
    assert spec.kind == "tokens"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.txt", b"", "empty"),
        ("s.txt", b"\n \n", "holds no sentences"),
        ("s.txt", np.random.default_rng(0).bytes(3000), "bytes that are not utf-8"),
        ("s.txt", b"one word\nzero\0byte\n", "line 2 holds a zero byte"),
        ("s.txt.gz", gzip.compress(b"a b\n" * 900, mtime=0)[:-20], "cut short"),
        ("s.smi", b"", "empty"),
        ("s.smi", b"\n", "holds no sentences"),
        ("s.smi", b"?!? 1\n" * 20, "20 of 20 lines cannot be read as smiles"),
        ("s.txt", b"one line\n", "1 row cannot be split"),
    ],
)
def test_malformed_text(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path / name)
    assert name in str(caught.value)


def test_sentences_are_not_binarised_or_given_columns() -> None:
    with pytest.raises(UserError, match="tokens cannot be binarised"):
        load(LINES, binarize="static")
    with pytest.raises(UserError, match="apply to tables only"):
        load(LINES, label="a")
    with pytest.raises(UserError, match="apply to sentences only"):
        load("iris", length=5)


@pytest.mark.data
def test_penn_treebank() -> None:
    try:
        spec = load("ptb").spec
    except UserError as absent:
        pytest.skip(str(absent).splitlines()[0])
    assert (spec.n_train, spec.n_validation, spec.n_test) == (42068, 3370, 3761)
    assert spec.split == "as the source splits them"
    assert len(spec.vocabulary or ()) == 4 + 9998
