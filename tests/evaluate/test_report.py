"""The whole record: what is in it, what is not, and why."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toys import LinearGaussian

import elbowroom as er
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.spec import DataSpec
from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.evaluate.report import anneals, evaluate
from elbowroom.families.delta import Delta
from elbowroom.posteriors.per_datum import PerDatum
from elbowroom.recipes.conditional import cvae
from elbowroom.workflow.summary import title_of


def splits_of(train: Tensor, test: Tensor, kind: str = "real") -> Splits:
    spec = DataSpec("toy", kind, tuple(test.shape[1:]))
    return Splits(Dataset({"x": train}), Dataset({"x": test[:0]}), Dataset({"x": test}), spec)


def vae(family: Any, size: int = 6) -> er.Model:
    torch.manual_seed(0)
    return er.Model(
        er.StandardNormal(2),
        er.Conditional(nn.Linear(2, family.size), family, "z"),
        er.Conditional(nn.Linear(size, 4), er.Gaussian(2), "x"),
    )


def gaussian_data(count: int = 50) -> Splits:
    truth = LinearGaussian.random()
    return splits_of(truth.sample(count, 1), truth.sample(count, 2))


def test_the_record_is_json_and_whole() -> None:
    stages: list[tuple[str, int, int]] = []
    record = evaluate(
        LinearGaussian.random().model().float(),
        gaussian_data(),
        samples=20,
        progress=lambda *step: stages.append(step),
    )
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert {"bits_per_dim"} == set(record["not_available"])
    for name in ("elbo", "log_likelihood", "kl", "log_marginal", "mutual_information"):
        assert record[name]["unit"] == "nats"
        assert record[name]["standard_error"] > 0
    assert record["log_marginal"]["value"] >= record["elbo"]["value"] - 0.1
    parts = record["log_likelihood"]["value"] - record["kl"]["value"]
    assert record["elbo"]["value"] == pytest.approx(parts)
    assert sum(record["kl"]["per_dimension"]["z"]) == pytest.approx(
        record["kl"]["value"], rel=1e-5
    )
    assert record["active_units"]["value"] == record["active_units"]["of"] == 2
    assert record["effective_sample_size"]["of"] == 20
    assert record["n"]["evaluated"] == 50
    assert ("log p(x)", 50, 50) in stages


def test_memorised_training_data_show_in_the_gap() -> None:
    rng = np.random.default_rng(0)
    train, test = (torch.from_numpy(rng.normal(size=(n, 10))) for n in (24, 200))
    overfit = LinearGaussian.fitted(train.numpy(), 4).model().float()
    gap = evaluate(overfit, splits_of(train, test), samples=20)["train_test_gap"]
    assert gap["value"] > 4 * gap["standard_error"]
    other = torch.from_numpy(rng.normal(size=(24, 10)))
    none = evaluate(overfit, splits_of(other, test), samples=20)["train_test_gap"]
    assert abs(none["value"]) < 4 * none["standard_error"]


def test_probabilities_have_bits_and_densities_have_not() -> None:
    x = (torch.rand(40, 6, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    data = splits_of(x, x, "binary")
    record = evaluate(vae(er.Bernoulli(6)), data, samples=10)
    bits = -record["log_marginal"]["value"] / (6 * math.log(2))
    assert record["bits_per_dim"]["value"] == pytest.approx(bits)
    assert 0 < record["reconstruction"]["x"]["error_rate"]["value"] < 1
    density = evaluate(vae(er.Gaussian(6)), data, samples=10)
    assert "bits_per_dim" not in density
    assert "density" in density["not_available"]["bits_per_dim"]


def test_a_plain_autoencoder_is_reconstructed_and_not_scored() -> None:
    model = er.Model(
        None,
        er.Conditional(nn.Linear(2, 6), er.Gaussian(6, scale=1.0), "z"),
        er.Conditional(nn.Linear(6, 2), Delta(2), "x"),
    )
    record = evaluate(model, gaussian_data(), samples=10)
    assert "no prior" in record["not_available"]["log_marginal"]
    assert "elbo" not in record
    assert record["reconstruction_error"]["value"] > 0
    assert record["active_units"]["of"] == 2


def test_a_table_of_posteriors_is_evaluated_where_it_was_trained() -> None:
    likelihood = er.Conditional(nn.Linear(2, 6), er.Gaussian(6, scale=1.0), "z")
    model = er.Model(er.StandardNormal(2), likelihood, PerDatum(50, er.Gaussian(2)))
    record = evaluate(model, gaussian_data(), samples=10, limit=20)
    assert record["part"] == "train"
    assert record["n"] == {"evaluated": 20, "train": 0, "paired": 20}
    assert "train_test_gap" in record["not_available"]


def test_a_limit_chooses_at_random_and_the_seed_decides() -> None:
    model, data = LinearGaussian.random().model().float(), gaussian_data()

    def value(seed: int) -> float:
        return evaluate(model, data, samples=5, seed=seed, limit=10)["log_marginal"]["value"]

    assert value(0) == value(0)
    assert value(0) != value(1)


def test_one_datum_has_no_standard_error() -> None:
    data = gaussian_data()
    record = evaluate(LinearGaussian.random().model().float(), data, samples=5, limit=1)
    json.dumps(record, allow_nan=False)
    assert "standard_error" not in record["elbo"]


def test_a_value_that_is_not_finite_is_a_reason() -> None:
    data = gaussian_data()
    data.test.columns["x"][7] = math.inf
    record = evaluate(LinearGaussian.random().model().float(), data, samples=5)
    json.dumps(record, allow_nan=False)
    assert "1 of 50 data have no finite value" in record["not_available"]["log_marginal"]


def test_no_data_are_refused() -> None:
    data = gaussian_data()
    with pytest.raises(UserError, match="zero rows"):
        evaluate(vae(er.Gaussian(6)), splits_of(data.train.columns["x"], torch.zeros(0, 6)))


def test_without_latents_the_evidence_is_exact_and_no_estimate() -> None:
    torch.manual_seed(0)
    model = er.Model(None, er.Learned(er.Bernoulli(6)), None)
    data = splits_of(*(torch.randint(2, (20, 6)).float() for _ in range(2)), kind="binary")
    found = evaluate(model, data, samples=50)
    assert found["log_marginal"]["estimator"] == "exact"
    assert found["train_log_marginal"]["estimator"] == "exact"
    assert "effective_sample_size" not in found
    assert "pareto_k" not in found


def test_what_data_were_given_is_part_of_the_figure() -> None:
    """``log p(x|c)`` of one model beside ``log p(x)`` of another is no comparison."""
    splits = tiny("pictures")
    made = cvae(splits.spec, splits.train.columns, latent_dim=2, hidden=(8,))
    found = evaluate(made.model, splits, samples=2, limit=8)
    assert found["log_marginal"]["given"] == found["elbo"]["given"] == ["label"]
    assert title_of("log_marginal", found["log_marginal"]) == "log p(x|label), IW-2"
    assert title_of("elbo", found["elbo"]) == "ELBO given label"
    plain = evaluate(vae(er.Bernoulli(6)), splits_of(*torch.ones(2, 4, 6), "binary"), samples=2)
    assert "given" not in plain["log_marginal"]


def test_annealing_is_advised_where_latents_can_be_moved() -> None:
    rows, bits = Dataset({"x": torch.rand(4, 6).round()}), er.Bernoulli(2)
    discrete = er.Model(
        er.Learned(bits),
        er.Conditional(nn.Linear(2, 6), er.Bernoulli(6), "z"),
        er.Conditional(nn.Linear(6, 2), bits, "x"),
    )
    assert anneals(vae(er.Bernoulli(6)), rows)
    assert not anneals(discrete, rows)


def test_columns_of_a_table_have_no_common_unit() -> None:
    """Metres become millimetres, and the headline stays; the squared error does not."""

    def record(factor: float) -> Any:
        data, model = gaussian_data(), LinearGaussian.random().model().float()
        for part in (data.train, data.test):
            part.columns["x"] = part.columns["x"] * torch.tensor([factor, 1, 1, 1, 1, 1])
        encoder, decoder = model.posterior.joint.sites["z"].net, model.likelihood.sites["x"].net
        with torch.no_grad():
            encoder.weight[:, 0] /= factor
            decoder.weight[0] *= factor
            decoder.bias[0] *= factor
        spec = dataclasses.replace(data.spec, columns=tuple("abcdef"))
        return evaluate(model, dataclasses.replace(data, spec=spec), samples=2)

    metres, millimetres = record(1.0), record(1000.0)
    ours, theirs = metres["reconstruction_error"], millimetres["reconstruction_error"]
    assert ours["value"] == pytest.approx(theirs["value"], rel=1e-4)
    assert 0 < ours["value"] < 1
    assert ours["by_column"].keys() == set("abcdef")
    squared = [r["reconstruction"]["x"]["squared_error"]["value"] for r in (metres, millimetres)]
    assert squared[1] > 100 * squared[0]
