"""scikit-learn's own checks, and its machinery: pipelines, grid searches, clones, data frames."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from elbowroom.errors import UserError
from elbowroom.estimators import VAE, Autoencoder

QUICK = {"latent_dim": 2, "hidden": (8,), "steps": 20, "batch_size": 32}
CLASSES = [VAE, Autoencoder]
FURTHER = [
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_global_output_transform_pandas",
    "check_dataframe_column_names_consistency",
    "check_transformer_preserve_dtypes",
]


@pytest.fixture(scope="module")
def wine() -> tuple[np.ndarray, np.ndarray]:
    return load_wine(return_X_y=True)


@estimator_checks.parametrize_with_checks(
    [VAE(**QUICK), VAE(**QUICK, objective="iwae", validation_fraction=0.2), Autoencoder(**QUICK)]
)
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("cls", CLASSES)
def test_check_estimator_with_the_defaults(cls):
    estimator_checks.check_estimator(cls())


@pytest.mark.parametrize("name", FURTHER)
@pytest.mark.parametrize("cls", CLASSES)
def test_checks_that_check_estimator_leaves_out(cls, name):
    getattr(estimator_checks, name)(cls.__name__, cls(**QUICK))


def test_array_api_check_that_needs_a_switch():
    # It is skipped unless scipy was imported under this variable, hence another process.
    code = (
        "from sklearn.utils.estimator_checks import check_array_api_input as check\n"
        "from elbowroom.estimators import VAE, Autoencoder\n"
        "for cls in (VAE, Autoencoder):\n"
        f"    model = cls(**{QUICK!r})\n"
        "    check(cls.__name__, model, 'numpy', expect_only_array_outputs=False)\n"
        "print('passed')"
    )
    environment = {"SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True
    )
    assert done.stdout.decode().strip() == "passed", done.stderr.decode()[-2000:]


def test_importing_elbowroom_does_not_import_sklearn():
    code = "import sys, elbowroom; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "False"


def test_estimators_are_attributes_of_the_package():
    import elbowroom

    assert elbowroom.VAE is VAE
    assert elbowroom.Autoencoder is Autoencoder


def test_pipeline_passes_y_and_codes_classify(wine):
    x, y = wine
    vae = VAE(latent_dim=4, hidden=(32,), steps=400, random_state=0)
    pipeline = make_pipeline(vae, LogisticRegression(max_iter=1000)).fit(x[::2], y[::2])
    chance = np.bincount(y).max() / len(y)
    assert pipeline.score(x[1::2], y[1::2]) > chance + 0.3


def test_grid_search_over_latent_dim_picks_by_score(wine):
    x = StandardScaler().fit_transform(wine[0])
    vae = VAE(hidden=(8,), steps=30, importance_samples=10, random_state=0)
    grid = {"latent_dim": np.arange(1, 3), "hidden": [(8,), ()]}
    search = GridSearchCV(vae, grid, cv=2, error_score="raise").fit(x)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) == 4
    assert search.best_score_ == scores.max()
    assert search.transform(x).shape == (len(x), search.best_params_["latent_dim"])


@pytest.mark.parametrize("cls", CLASSES)
def test_clone_is_unfitted_and_fits_to_the_same_bits(cls, wine):
    first = cls(**QUICK, random_state=3).fit(wine[0])
    second = clone(first)
    assert not hasattr(second, "model_")
    second.fit(wine[0], wine[1])
    for a, b in zip(first.model_.state_dict().values(), second.model_.state_dict().values()):
        assert torch.equal(a, b)
    other = cls(**QUICK, random_state=4).fit(wine[0])
    assert not np.array_equal(other.transform(wine[0]), first.transform(wine[0]))


def test_global_generator_and_threads_are_left_alone(wine):
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    vae = VAE(**QUICK, random_state=0).fit(wine[0])
    vae.score_samples(wine[0])
    vae.sample(4, random_state=0)
    vae.transform(wine[0])
    assert torch.equal(before, torch.get_rng_state())
    assert threads == torch.get_num_threads()


def test_random_state_none_follows_numpys_generator(wine):
    np.random.seed(5)  # noqa: NPY002
    first = VAE(**QUICK).fit(wine[0])
    np.random.seed(5)  # noqa: NPY002
    second = VAE(**QUICK).fit(wine[0])
    third = VAE(**QUICK).fit(wine[0])
    assert first.seed_ == second.seed_ != third.seed_
    assert np.array_equal(first.transform(wine[0]), second.transform(wine[0]))


def test_data_frames_keep_their_names():
    frame = load_wine(as_frame=True).data
    vae = VAE(**QUICK, random_state=0).set_output(transform="pandas").fit(frame)
    codes = vae.transform(frame)
    assert list(codes.columns) == ["vae0", "vae1"]
    assert list(codes.index) == list(frame.index)
    assert list(vae.feature_names_in_) == list(frame.columns) == list(vae.spec_.columns)
    assert vae.n_features_in_ == 13
    with pytest.raises(ValueError, match="feature names"):
        vae.transform(frame[frame.columns[::-1]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"likelihood": "gausian"}, "gaussian"),
        ({"objective": "ebo"}, "elbo"),
        ({"objective": "iwae", "beta": 4.0}, "beta"),
        ({"latent_dim": 0}, "latent_dim"),
        ({"latent_dim": 2.5}, "latent_dim"),
        ({"hidden": 8}, "hidden"),
        ({"hidden": (0,)}, "hidden"),
        ({"samples": 0}, "samples"),
        ({"steps": -1}, "steps"),
        ({"steps": 1.5}, "steps"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"patience": 3}, "validation_fraction"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"validation_fraction": "half"}, "validation_fraction"),
        ({"act": "rilu"}, "relu"),
        ({"device": "tpu!"}, "device"),
        ({"scale": -1.0}, "scale"),
        ({"likelihood": "bernoulli"}, "x"),
        ({"likelihood": "discretized_logistic"}, "x"),
    ],
)
def test_wrong_arguments_are_one_clear_error(arguments, message, wine):
    with pytest.raises(UserError, match=message):
        VAE(**{**QUICK, **arguments}).fit(wine[0])


def test_autoencoder_says_why_it_cannot_sample_or_score_rows(wine):
    model = Autoencoder(**QUICK, random_state=0).fit(wine[0])
    assert not hasattr(model, "sample")
    assert not hasattr(model, "score_samples")
    with pytest.raises(AttributeError, match="no prior"):
        model.sample(3)
    with pytest.raises(AttributeError, match="no prior"):
        model.score_samples(wine[0])
