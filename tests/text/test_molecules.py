"""Molecules as strings: what is cut is put together again, and every SELFIES is a molecule."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import elbowroom as er
from elbowroom.data.molecules import as_smiles, selfies, smiles
from elbowroom.data.text import sentences
from elbowroom.errors import UserError
from elbowroom.evaluate.molecules import canonical, distances, generated, properties
from elbowroom.random import seeded
from elbowroom.recipes.text import selfies_vae
from elbowroom.workflow.texts import molecules

DRUGS = [
    "CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "C[C@@H](N)C(=O)O", "c1ccc2c(c1)[nH]c1ccccc12", "FC(F)(F)c1ccc(Br)cc1Cl", "C/C=C/C#N",
    "O=S(=O)(N)c1ccc(NCc2ccccc2)cc1", "[O-][N+](=O)c1ccccc1", "C1CC%12CC1CC%12",
]  # fmt: skip


def test_smiles_are_cut_and_joined() -> None:
    cut = smiles(DRUGS)
    assert ["".join(tokens) for tokens in cut] == DRUGS
    assert cut[5][:4] == ["F", "C", "(", "F"]
    assert "Br" in cut[5]
    assert "[C@@H]" in cut[3]
    assert "%12" in cut[9]
    assert smiles(["C C", "CXC", ""]) == [[], [], []]


def test_selfies_round_trip_is_exact() -> None:
    """12-F: decode ∘ encode is the same molecule; encode ∘ decode the same symbols."""
    pytest.importorskip("selfies")
    pytest.importorskip("rdkit")
    symbols = selfies(DRUGS)
    again = as_smiles(["".join(s) for s in symbols])
    assert [canonical(s) for s in again] == [canonical(s) for s in DRUGS]
    assert selfies(again) == symbols
    assert selfies(["".join(s) for s in symbols]) == symbols, "SELFIES are only cut"
    assert selfies(["C((", "nonsense"]) == [[], []]


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> er.data.Splits:
    pytest.importorskip("selfies")
    path = tmp_path_factory.mktemp("molecules") / "drugs.smi"
    path.write_text("\n".join(DRUGS * 5))
    return er.data.load(str(path), notation="selfies")


def test_every_prior_sample_is_a_molecule(splits: er.data.Splits) -> None:
    """12-F: from weights that have learnt nothing, all that write an atom at all are valid."""
    pytest.importorskip("rdkit")
    with seeded(0):
        model = selfies_vae(splits.spec, splits.train.columns, 4, 8, 16).model
        with torch.no_grad():
            for p in model.parameters():
                p.add_(torch.randn_like(p))
    drawn = model.sample(300, seed=1)["x"]
    lines = sentences(drawn, splits.spec)
    written = [one for one in as_smiles(lines) if one]
    found = generated(written, DRUGS)
    assert len(written) > 220, "branches and rings alone are the empty molecule"
    assert found.valid == 1.0
    assert found.novel > 0.9
    assert not all(smiles(lines)), "they are SELFIES, not SMILES"


def test_data_are_read_and_written_again(splits: er.data.Splits) -> None:
    lines = as_smiles(sentences(splits.test.columns["x"], splits.spec))
    assert {canonical(s) for s in lines} <= {canonical(s) for s in DRUGS}


def test_shares_are_counted_as_moses_counts_them() -> None:
    pytest.importorskip("rdkit")
    made = ["CCO", "OCC", "CCN", "C((", "", "CCCC"]
    found = generated(made, ["C(O)C"], first=2)
    assert found.valid == pytest.approx(4 / 6)
    assert found.unique == pytest.approx(1 / 2), "the first two are one molecule"
    assert found.novel == pytest.approx(2 / 3)
    assert found.molecules == ("CCO", "CCO", "CCN", "CCCC")
    with pytest.raises(UserError, match="no molecules"):
        generated([])


def test_properties_of_known_molecules() -> None:
    pytest.importorskip("rdkit")
    found = properties(DRUGS[:3])
    np.testing.assert_allclose(found["weight"], [180.16, 194.19, 206.28], atol=0.01)
    np.testing.assert_allclose(found["logP"], [1.31, -1.03, 3.07], atol=0.01)
    assert (found["QED"] > 0.5).all()
    assert ((found["SA"] > 1) & (found["SA"] < 3)).all()
    shifted = {name: values + 0.5 for name, values in found.items()}
    assert distances(found, shifted) == pytest.approx(dict.fromkeys(found, 0.5))


def test_molecules_are_drawn(splits: er.data.Splits) -> None:
    pytest.importorskip("rdkit")
    figure = molecules(splits.test.columns["x"][:4], splits.spec)
    assert figure.axes
    assert molecules(torch.zeros(1, 3), er.data.tiny.tiny("tokens").spec) is None


def test_absent_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.split(".")[0] in ("selfies", "rdkit"):
            raise ImportError(name)
        return plain(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    for call in (lambda: selfies(["C"]), lambda: canonical("C")):
        with pytest.raises(UserError, match=r"elbowroom\[molecules\]"):
            call()


def test_the_model_asks_for_selfies(tmp_path: Path) -> None:
    pytest.importorskip("selfies")
    from elbowroom.workflow import configuration, plan

    path = tmp_path / "drugs.smi"
    path.write_text("\n".join(DRUGS * 5))
    flags = {"model.type": "selfies-vae"}
    made = plan.make(configuration.read(str(path), [], flags))
    assert made.splits.spec.options["notation"] == "selfies"
    other = plan.make(configuration.read(str(path), ["notation=smiles"], flags))
    assert other.splits.spec.options["notation"] == "smiles"
    assert made.recipe.chosen["notation"] == "selfies"
