"""Tables with holes: read with a mask, judged by what is there, written again byte for byte."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from elbowroom.data import DataSpec, column_statistics, load, load_like, reload
from elbowroom.data.refill import refill
from elbowroom.errors import UserError
from elbowroom.nets.standardise import Standardise
from elbowroom.recipes.base import observed

GENERATOR = np.random.default_rng(3)
X = GENERATOR.normal(size=(60, 3)) * [1, 10, 100] + [5, 0, -70]
THERE = GENERATOR.random(X.shape) < 0.7
HOLED = np.where(THERE, X, np.nan)


def csv(path: Path, ways: tuple[str, ...] = ("", "NA", "nan", " ? ")) -> Path:
    lines = [
        ",".join([f"id{i}", *(f"{v:.3f}" if there else ways[i % len(ways)] for v, there in row)])
        for i, row in enumerate(zip(X[k], THERE[k]) for k in range(len(X)))
    ]
    path.write_text("\n".join(["id,a,b,c", *lines, ""]))
    return path


def test_holes_become_a_mask(tmp_path: Path) -> None:
    splits = load(csv(tmp_path / "h.csv"), drop="id")
    spec = splits.spec
    assert spec.kind == "real"
    assert spec.missing == pytest.approx(1 - THERE.mean())
    assert f"{1 - THERE.mean():.1%} of the entries are missing" in spec.description
    data = load_like(tmp_path / "h.csv", spec).columns
    assert torch.equal(data["x.mask"], torch.from_numpy(THERE))
    assert (data["x"][~data["x.mask"]] == 0).all()
    kept = data["x"][data["x.mask"]].numpy()
    assert np.allclose(kept, X[THERE], atol=1e-3)
    assert reload(DataSpec.from_dict(spec.to_dict())).spec == spec
    batch = splits.train.batch(torch.arange(4))
    assert batch["x.mask"].dtype == torch.bool


def test_arrays_and_frames_have_holes_too() -> None:
    frame = pytest.importorskip("pandas").DataFrame(HOLED, columns=list("abc"))
    specs = [load(source).spec for source in (HOLED, torch.from_numpy(HOLED), frame)]
    assert {spec.missing for spec in specs} == {1 - THERE.mean()}
    assert len({spec.fingerprint for spec in specs}) == 1
    complete = load_like(X, specs[0])
    assert set(complete.columns) == {"x"}


def test_integers_with_holes_keep_their_kind() -> None:
    x = GENERATOR.integers(0, 17, (80, 6)).astype(float)
    holed = np.where(GENERATOR.random(x.shape) < 0.2, np.nan, x)
    assert load(holed).spec.levels == load(x).spec.levels == 17
    ones = np.where(np.isnan(holed), np.nan, (x > 8).astype(float))
    assert load(ones).spec.kind == "binary"
    spec = load(holed * 1000, kind="counts").spec
    assert (spec.kind, spec.missing > 0.1) == ("counts", True)


def test_statistics_leave_out_what_is_absent() -> None:
    columns = {"x": torch.from_numpy(np.nan_to_num(HOLED)), "x.mask": torch.from_numpy(THERE)}
    data = load(HOLED, limit=60).train
    mean, scale = column_statistics(data)
    rows = data.columns["x"].double().where(data.columns["x.mask"], torch.nan)  # type: ignore[union-attr]
    assert torch.allclose(mean.double(), rows.nanmean(0), rtol=1e-6)
    spread = (rows - rows.nanmean(0)).square().nanmean(0).sqrt()
    assert torch.allclose(scale.double(), spread, rtol=1e-6)
    affine = Standardise(3).fit(observed(columns))
    assert torch.allclose(affine.loc.double(), torch.from_numpy(np.nanmean(HOLED, 0)), rtol=1e-5)
    assert torch.allclose(affine.scale.double(), torch.from_numpy(np.nanstd(HOLED, 0)), rtol=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n" + "1.5,\n2.5,\n" * 9, r"every value is missing in column 'b'.*drop="),
        ("a,b\n" + ",NA\n" * 9, "every value is missing"),
        ("a,b\n" + "1.5,2\n,3\n" * 9, "constant.*'a'"),
        ("a,b\n1,inf\n2,\n3,4\n5,6\n", "row 1.*'b'.*inf"),
    ],
)
def test_tables_with_too_many_holes(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        load(tmp_path / "d.csv")


def test_a_class_cannot_be_absent(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,y\n" + "1.5,1\n2.5,\n3.5,0\n" * 5)
    with pytest.raises(UserError, match=r"row 2 \(line 3\), column 'y': a class is missing"):
        load(tmp_path / "d.csv", label="y")
    complete = tmp_path / "c.csv"
    complete.write_text("a,y\n" + "1.5,1\n2.5,1\n3.5,0\n" * 5)
    spec = load(complete, label="y").spec
    assert "label" not in load_like(tmp_path / "d.csv", spec).columns


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_filled_table_differs_in_its_holes_alone(
    separator: str, ends: str, tmp_path: Path
) -> None:
    hole = "NA" if separator == " " else ""
    rows = [["id", "a", "b"], ['"x, y"', "1.50", hole], ["p", "NA", "-3"], ['"q"', "2.25", "4"]]
    rows = [[cell.replace(" ", "") for cell in row] for row in rows]
    text = ends.join(separator.join(row) for row in rows) + ends
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    filled = refill(path, ("b", "a"), np.array([[7.4, 0], [0, 1.006], [0, 0]])).decode()
    rows[1][2], rows[2][1] = "7", "1.01"
    assert filled == ends.join(separator.join(row) for row in rows) + ends


def test_a_filled_table_keeps_mark_comma_quotes_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    text = '\ufeff#id; a;"b"\n\n"said ""hm""\nand left"; 1,5 ; NA \nq;?;2,125\nr;"2,5";"3,5"\n'
    path.write_bytes(text.encode())
    filled = refill(path, ("a", "b"), np.array([[0, -0.0001], [1.26, 0], [0, 0]])).decode()
    assert filled == text.replace("NA", "0,000").replace("?", "1,3")


def test_exponents_and_empty_columns_get_six_digits(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1e-3,\nNA,\n,\n2e-3,\n")
    filled = refill(path, ("a", "b"), np.array([[0, math.pi], [1 / 3000, 2.0], [4, 3], [0, 5.0]]))
    assert filled.decode() == "a,b\n1e-3,3.14159\n0.000333333,2\n4,3\n2e-3,5\n"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_rows_of_separators_alone_are_rows_to_fill_but_teach_nothing(
    separator: str, tmp_path: Path
) -> None:
    rows = [",,", "n,a,b", ",,", *(f"{i},{i}.5,{i * i}" for i in range(8)), "", ",", '"","",""']
    path = tmp_path / "t.csv"
    path.write_text("\n".join(rows).replace(",", separator) + "\n")
    splits = load(path)
    assert splits.spec.n_train + splits.spec.n_validation + splits.spec.n_test == 8
    assert splits.spec.missing == 0
    assert len(load_like(path, splits.spec)) == 8
    there = load_like(path, splits.spec, blank=True).columns["x.mask"]
    assert there.all(1).tolist() == [False, *[True] * 8, False]
    values = np.arange(30.0).reshape(10, 3)
    filled = refill(path, ("n", "a", "b"), values).decode().replace(separator, ",").split("\n")
    expected = [",,", rows[1], "0,1.0,2", *rows[3:12], rows[12], "27,28.0,29", ""]
    assert filled == expected


def test_headless_and_other_tables(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("1.5,NA\n2.5,3\n")
    assert refill(path, ("column 2",), np.array([[4.0], [0]])) == b"1.5,4\n2.5,3\n"
    with pytest.raises(UserError, match="rows cannot be told apart"):
        refill(path, ("column 2",), np.array([[4.0]]))
