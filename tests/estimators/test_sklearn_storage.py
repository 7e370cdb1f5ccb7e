"""Saving to a run folder and back; joblib's copies."""

from __future__ import annotations

import io

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine

from elbowroom.errors import UserError
from elbowroom.estimators import VAE, Autoencoder
from elbowroom.train import run_folder

QUICK = {"latent_dim": np.int64(2), "hidden": (8,), "steps": 20}


@pytest.fixture(scope="module")
def frame():
    return load_wine(as_frame=True).data


@pytest.mark.parametrize("cls", [VAE, Autoencoder])
def test_load_gives_back_what_was_saved(cls, frame, tmp_path):
    model = cls(**QUICK, validation_fraction=0.2, random_state=0).fit(frame)
    model.save(tmp_path / "run")
    again = cls.load(tmp_path / "run")
    assert np.array_equal(again.transform(frame), model.transform(frame))
    assert again.score(frame) == model.score(frame)
    assert list(again.feature_names_in_) == list(frame.columns)
    assert list(again.get_feature_names_out()) == list(model.get_feature_names_out())
    assert again.history_ == model.history_
    assert again.spec_ == model.spec_
    assert {**again.get_params(), "hidden": (8,)} == model.get_params()
    refitted = clone(again).fit(frame)
    assert np.array_equal(refitted.transform(frame), model.transform(frame))
    again.save(tmp_path / "second")
    assert (tmp_path / "second" / "config.json").read_text() == (
        tmp_path / "run" / "config.json"
    ).read_text()


def test_the_folder_is_a_run_like_any_other(frame, tmp_path):
    vae = VAE(**QUICK, random_state=0).fit(frame)
    vae.save(tmp_path / "run")
    model = run_folder.load(tmp_path / "run")
    drawn = model.sample(3, seed=1)["x"].numpy()
    assert np.array_equal(drawn, vae.model_.sample(3, seed=1)["x"].numpy())
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"config.json", "model.safetensors", "metrics.jsonl"}


def test_saving_and_loading_refuse_what_does_not_fit(frame, tmp_path):
    vae = VAE(**QUICK, random_state=np.random.RandomState(0)).fit(frame)
    vae.save(tmp_path / "run")
    with pytest.raises(UserError, match="exists already"):
        vae.save(tmp_path / "run")
    vae.save(tmp_path / "run", overwrite=True)
    with pytest.raises(UserError, match="holds VAE, not Autoencoder"):
        Autoencoder.load(tmp_path / "run")
    with pytest.raises(UserError, match="does not exist"):
        VAE.load(tmp_path / "nowhere")
    weights = tmp_path / "run" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match="truncated"):
        VAE.load(tmp_path / "run")


def test_joblib_copies_score_alike(frame):
    vae, file = VAE(**QUICK, random_state=0).fit(frame), io.BytesIO()
    joblib.dump(vae, file)
    file.seek(0)
    assert joblib.load(file).score(frame) == vae.score(frame)
