"""Data of one kind under a model of another; files that are there; models without codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import run

from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.recipes import RECIPES
from elbowroom.workflow.plan import refuse_other_data


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without latents that are inferred."""
    folder = tmp_path_factory.mktemp("runs") / "gan"
    done = run("fit", "digits", "--model", "gan", "limit=40", "--steps", 5, "--out", folder)
    assert done.code == 0, done.err
    return folder


@pytest.mark.parametrize("name", RECIPES)
def test_each_model_takes_its_own_kind_of_data(name: str) -> None:
    refuse_other_data(name, tiny(RECIPES[name].example).spec)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("vae", "tokens", "sequences, for which there are the models"),
        ("gmm", "several", "several modalities: glyph, photo, for which"),
        ("sentence-vae", "table", "sentence-vae takes sequences"),
        ("mvae", "pictures", "mvae takes several modalities"),
    ],
)
def test_other_data_are_refused_with_what_takes_them(name: str, kind: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        refuse_other_data(name, tiny(kind).spec)


def test_files_that_are_there_are_not_replaced(network: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.npy"
    out.write_bytes(b"mine")
    done = run("sample", network, "-n", 4, "--out", out)
    assert done.code == 2
    assert "--overwrite" in done.err
    assert out.read_bytes() == b"mine"
    done = run("sample", network, "-n", 4, "--out", out, "--overwrite")
    assert done.code == 0, done.err
    assert len(np.load(out)) == 4


def test_models_without_codes_say_so(network: Path, tmp_path: Path) -> None:
    done = run("encode", network, "digits", "--out", tmp_path / "codes.csv")
    assert done.code == 2
    assert "no latents" in done.err
    assert not (tmp_path / "codes.csv").exists()


def test_a_bad_place_for_all_experiments_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    done = run("reproduce", "all", "--quick", "--out", tmp_path / "file")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
