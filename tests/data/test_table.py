"""Tables as people write them: each of these is the same table."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from elbowroom.data import column_statistics, load
from elbowroom.data.table import read_csv
from elbowroom.errors import UserError

VALUES = np.array([[1.5, -2.0, 10.25], [2.5, 3.0, 11.5], [-4.0, 0.125, 12.0], [0.5, 9.0, 13.0]])
HEADER = ["length", "mass", "age"]


def _text(separator: str = ",", header: bool = True, end: str = "\n") -> str:
    lines = [separator.join(HEADER)] if header else []
    lines += [separator.join(f"{v:g}" for v in row) for row in VALUES]
    return end.join(lines) + end


WRITTEN: dict[str, bytes] = {
    "comma": _text().encode(),
    "semicolon": _text(";").encode(),
    "tab": _text("\t").encode(),
    "bar": _text("|").encode(),
    "blanks": _text("   ").encode(),
    "comma and blank": _text(", ").encode(),
    "CRLF": _text(end="\r\n").encode(),
    "old Mac": _text(end="\r").encode(),
    "byte-order mark": _text().encode("utf-8-sig"),
    "UTF-16": _text().encode("utf-16"),
    "trailing blank lines": (_text() + "\n\n  \n").encode(),
    "blank lines within": _text().replace("\n", "\n\n").encode(),
    "leading blank lines": ("\n\n" + _text()).encode(),
    "no last newline": _text().rstrip("\n").encode(),
    "quoted": _text().replace("length", '"length"').replace("\n2.5", '\n"2.5"').encode(),
    "decimal comma": _text(";").replace(".", ",").encode(),
    "numpy's header": ("# " + _text()).encode(),
    "row numbers": "\n".join(
        ("" if i == 0 else str(i - 1)) + "," + line
        for i, line in enumerate(_text().split("\n")[:-1])
    ).encode(),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_one_table_many_hands(case: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(WRITTEN[case])
    raw = read_csv(tmp_path / "t.csv")
    assert raw.columns == HEADER
    np.testing.assert_array_equal(raw.x, VALUES)


def test_packed_and_without_header(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(_text(header=False).encode()))
    splits = load(tmp_path / "t.csv.gz")
    assert splits.spec.columns == ("column 1", "column 2", "column 3")
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 4


def test_header_of_counting_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("0,1,2\n" + _text(header=False))
    assert read_csv(tmp_path / "t.csv").columns == ["0", "1", "2"]


def _flowers(path: Path) -> Path:
    rows = ["5.1,3.5,setosa", "4.9,3.0,setosa", "6.2,2.9,virginica", "5.9,3.1,versicolor"] * 5
    path.joinpath("flowers.csv").write_text("length,width,species\n" + "\n".join(rows))
    return path / "flowers.csv"


def test_label_columns_and_drop(tmp_path: Path) -> None:
    path = _flowers(tmp_path)
    with pytest.raises(UserError, match=r"columns 'species' are not numbers.*label='species'"):
        load(path)
    splits = load(path, label="species")
    assert splits.spec.labels == ("setosa", "versicolor", "virginica")
    assert splits.spec.columns == ("length", "width")
    x, label = splits.train.columns["x"], splits.train.columns["label"]  # type: ignore[union-attr]
    assert torch.equal(label == 0, x[:, 0] < 5.5)
    assert load(path, drop=["species"]).spec.columns == ("length", "width")
    assert load(path, columns=["width", "length"]).spec.columns == ("width", "length")


def test_text_without_header_keeps_its_first_row(tmp_path: Path) -> None:
    path = tmp_path / "iris.data"
    path.write_text("5.1,3.5,a\n4.9,3.0,b\n6.0,3.1,a\n6.5,2.8,b\n")
    splits = load(path, label="column 3")
    spec = splits.spec
    assert (spec.n_train + spec.n_validation + spec.n_test, spec.labels) == (4, ("a", "b"))


def test_original_units_are_kept(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(_text())
    splits = load(tmp_path / "t.csv")
    parts = (splits.train, splits.validation, splits.test)
    found = torch.cat([part.columns["x"] for part in parts])  # type: ignore[union-attr]
    expected = torch.from_numpy(VALUES).float()
    assert torch.equal(found.sort(0)[0], expected.sort(0)[0])


def test_column_statistics_against_numpy() -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(1000, [1, 5, 0.1], (20_000, 3))).float()
    mean, scale = column_statistics(x)
    np.testing.assert_allclose(mean, x.double().numpy().mean(0), rtol=1e-6)
    np.testing.assert_allclose(scale, x.double().numpy().std(0), rtol=1e-6)
    x[:, 1] = 0.1
    with pytest.raises(UserError, match="without a density: 'b'"):
        column_statistics(x, ["a", "b", "c"])


def test_parquet_and_frames(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame(VALUES, columns=HEADER)
    frame["count"] = [3, 1, 2, 5]
    frame["kind"] = ["a", "b", "a", "b"]
    frame.to_parquet(tmp_path / "t.parquet")
    for source in (tmp_path / "t.parquet", frame):
        splits = load(source, label="kind")
        assert splits.spec.columns == (*HEADER, "count")
        assert splits.spec.labels == ("a", "b")
        with pytest.raises(UserError, match="columns 'kind' are not numbers"):
            load(source)
    frame.loc[2, "mass"] = None
    frame = pandas.concat([frame] * 5)
    frame.to_parquet(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet", label="kind").spec.missing == pytest.approx(
        1 / (4 * (len(HEADER) + 1))
    )


def test_parquet_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"elbowroom\[parquet\]"):
        load(tmp_path / "t.parquet")


def test_the_column_of_fewest_values_is_offered_as_the_class(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{i},{i / 2},{'ab'[i % 2]},remark {i},x{i}" for i in range(12)]
    path.write_text("\n".join(["id,size,species,note,other", *rows]))
    with pytest.raises(UserError, match=r"label='species'") as refused:
        load(path, drop=["id", "other"])
    assert "drop=['id', 'other', 'species', 'note']" in str(refused.value)
