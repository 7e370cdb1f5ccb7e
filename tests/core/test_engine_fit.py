"""The loop: what is best, when it stops, what it does when a loss or a disk fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from examples import SIZE as SMALL
from examples import ladder_model, per_datum_model
from examples import model as small_model
from runs import Crash, CrashAt, assert_same, data, everything, rich

import elbowroom as er
from elbowroom.data.dataset import Dataset
from elbowroom.errors import UserError
from elbowroom.gradients.location import Location
from elbowroom.train import files, loop, metrics, validate
from elbowroom.train.fit import fit, resume
from elbowroom.train.guard import NonFinite
from elbowroom.train.run_folder import load
from elbowroom.train.settings import Settings
from elbowroom.train.state import init, step

QUIET = er.ELBO(gradient=Location())


def scripted(monkeypatch: pytest.MonkeyPatch, bounds: list[float]) -> None:
    """Let validation report given bounds, one per evaluation."""
    left = iter(bounds)
    monkeypatch.setattr(loop, "validate", lambda *_: {"bound": next(left)})


class Snapshots:
    """A callback that remembers the parameters at every evaluation."""

    def __init__(self) -> None:
        self.states: dict[int, dict[str, torch.Tensor]] = {}

    def on_validation_end(self, loop: Any, row: dict[str, Any]) -> None:
        self.states[row["step"]] = {k: v.clone() for k, v in loop.evaluated_tensors().items()}


@pytest.mark.parametrize(
    ("bounds", "stops", "best"),
    [
        ([-10.0, -5.0, -6.0, -7.0, -1.0], 20, 10),
        ([-10.0, -9.0, -8.0, -7.0, -6.0], 25, 25),
        ([float("nan"), -5.0, float("nan"), -4.0, -6.0], 25, 20),
        ([-5.0, float("nan"), float("nan"), -1.0, -1.0], 15, 5),
    ],
)
def test_early_stopping_keeps_the_best(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bounds: list[float], stops: int, best: int
) -> None:
    scripted(monkeypatch, bounds)
    model, objective, settings = rich()
    seen = Snapshots()
    settings |= {"steps": 25, "patience": 2}
    history = fit(model, data(), objective, out=tmp_path / "run", callbacks=[seen], **settings)
    assert max(seen.states) == stops
    assert history.best_step == best
    assert history.best == max(b for b in bounds[: stops // 5] if b == b)
    for found in (model.state_dict(), load(tmp_path / "run").state_dict()):
        assert all(torch.equal(value, seen.states[best][key]) for key, value in found.items())


def test_without_validation_the_last_parameters_are_kept() -> None:
    model, objective, settings = rich()
    history = fit(model, data(validation=False), objective, **{**settings, "average": None})
    other, objective, settings = rich()
    state_after = last_parameters(other, objective, {**settings, "average": None})
    assert history.best is None
    assert all(torch.equal(v, state_after[k]) for k, v in model.state_dict().items())


def last_parameters(
    model: er.Model, objective: er.ELBO, settings: dict[str, Any]
) -> dict[str, torch.Tensor]:
    kept: dict[str, torch.Tensor] = {}

    class Last:
        def on_train_batch_end(self, loop: Any, metrics: Any) -> None:
            kept.update({k: v.clone() for k, v in loop.state.model.state_dict().items()})

    fit(model, data(validation=False), objective, callbacks=[Last()], **settings)
    return kept


def test_validation_sees_each_datum_once_under_the_average(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    model = small_model()
    state = init(model, QUIET, Settings(average=0.5))
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(0, 2, (23, 4), generator=generator).float()
    assert state.average is not None
    for average in state.average:
        average.add_(0.3)
    current = [p.detach().clone() for p in model.parameters()]
    held = data().train.__class__({"x": x})
    values = []
    for chunk in (1000, 7):
        monkeypatch.setattr(validate, "BATCH", chunk)
        values.append(validate.validate(state, held, 0)["bound"])
    assert all(torch.equal(a, b) for a, b in zip(current, model.parameters()))
    with torch.no_grad():
        for p, average in zip(model.parameters(), state.average):
            p.copy_(average)
        expected = QUIET(model, {"x": x}, state.step).metrics["bound"].mean().item()
    assert values == pytest.approx([expected, expected], abs=1e-5)


def test_batch_size_does_not_change_the_scale_of_the_bound() -> None:
    rows = []
    for size, steps in ((4, 15), (60, 1)):
        model, _, _ = rich()
        model.eval()
        for part in model.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        history = fit(
            model,
            data().train,
            QUIET,
            steps=steps,
            batch_size=size,
            log_every=steps,
            learning_rate=1e-9,
        )
        rows.append(history.rows[-1])
    assert rows[0]["bound"] == pytest.approx(rows[1]["bound"], abs=1e-4)


def test_a_bad_loss_stops_before_the_update_and_is_named() -> None:
    torch.manual_seed(0)
    decoder = er.Conditional(er.nets.MLP(2, [5], 3), er.Gaussian(3, scale="shared"), "z")
    encoder = er.Conditional(er.nets.MLP(3, [5], 4), er.Gaussian(2), "x")
    state = init(er.Model(er.StandardNormal(2), decoder, encoder), QUIET, Settings(average=0.9))
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    step(state, {"x": x, "index": torch.arange(8)})
    before = [p.detach().clone() for p in state.model.parameters()]
    averages = [a.clone() for a in state.average or []]
    x[5, 1] = float("nan")
    with pytest.raises(NonFinite, match=r"step 1.*log_likelihood/x.*1 of 8.*index 105"):
        step(state, {"x": x, "index": torch.arange(100, 108)})
    assert all(torch.equal(a, b) for a, b in zip(before, state.model.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(averages, state.average or []))
    assert state.count == 1


class PoisonAt:
    """A callback that breaks a parameter after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, loop: Any, metrics: Any) -> None:
        if loop.state.count == self.step:
            next(loop.state.model.parameters()).data.fill_(float("nan"))


def test_the_last_good_checkpoint_survives_a_bad_loss(tmp_path: Path) -> None:
    model, objective, settings = rich()
    with pytest.raises(NonFinite, match="step 8"):
        fit(model, data(), objective, out=tmp_path / "run", callbacks=[PoisonAt(8)], **settings)
    assert all(v.isfinite().all() for v in load(tmp_path / "run").state_dict().values())
    assert everything(tmp_path / "run")["noise/cpu"].shape[0] == 1
    resume(tmp_path / "run", data())
    model, objective, settings = rich()
    fit(model, data(), objective, out=tmp_path / "other", **settings)
    assert_same(tmp_path / "run", tmp_path / "other")


def full_disk(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_at_the_start_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str
) -> None:
    model, objective, settings = rich()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full_disk)
        with pytest.raises(UserError, match="No space left"):
            fit(model, data(), objective, out=tmp_path / "run", **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_on_overwriting_leaves_the_old_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model, objective, settings = rich()
    fit(model, data(), objective, out=tmp_path / "run", **settings)
    before, replace = everything(tmp_path / "run"), os.replace

    def fails_at_the_switch(source: Any, target: Any) -> None:
        if str(source).endswith(".part") and Path(target).name == "run":
            full_disk()
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails_at_the_switch)
        with pytest.raises(UserError, match="No space left"):
            fit(model, data(), objective, out=tmp_path / "run", overwrite=True, **settings)
    after = everything(tmp_path / "run")
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("where", ["checkpoint", "metrics"])
def test_a_full_disk_in_the_middle_leaves_a_folder_that_resumes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    class FillDisk:
        def on_train_batch_end(self, loop: Any, _: Any) -> None:
            if loop.state.count == 11:
                if where == "checkpoint":
                    patch.setattr(files.os, "fsync", full_disk)
                else:
                    patch.setattr(metrics, "open", full_disk, raising=False)

    model, objective, settings = rich()
    with monkeypatch.context() as patch, pytest.raises(UserError, match="No space left"):
        fit(model, data(), objective, out=tmp_path / "run", callbacks=[FillDisk()], **settings)
    assert not [p for p in (tmp_path / "run").iterdir() if p.name.endswith(".part")]
    resume(tmp_path / "run", data())
    model, objective, settings = rich()
    fit(model, data(), objective, out=tmp_path / "other", **settings)
    assert_same(tmp_path / "run", tmp_path / "other")


def test_an_existing_folder_is_refused(tmp_path: Path) -> None:
    model, objective, settings = rich()
    with pytest.raises(Crash):
        fit(model, data(), objective, out=tmp_path / "run", callbacks=[CrashAt(0)], **settings)
    with pytest.raises(UserError, match="exists already"):
        fit(model, data(), objective, out=tmp_path / "run", **settings)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="not a run folder"):
        fit(model, data(), objective, out=tmp_path / "mine", overwrite=True, **settings)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


def test_the_average_of_a_parameter_in_two_places_is_kept_in_both() -> None:
    torch.manual_seed(0)
    model, x = ladder_model(), torch.eye(SMALL)
    kept = Averages()
    fit(model, x, er.ELBO(), steps=12, average=0.9, learning_rate=0.05, callbacks=[kept])
    assert model.prior is model.posterior.top_down
    assert all(map(torch.equal, kept.average, model.parameters()))


class Averages:
    """A callback that keeps the averaged parameters of the last step."""

    average: list[torch.Tensor]

    def on_fit_end(self, loop: Any) -> None:
        self.average = [value.clone() for value in loop.state.average]


def test_a_posterior_per_datum_is_not_judged_on_other_data() -> None:
    rows = Dataset({"x": torch.eye(SMALL)})
    model, parts = per_datum_model(), SimpleNamespace(train=rows, validation=rows)
    history = fit(model, parts, er.ELBO(), steps=6, evaluate_every=2)
    assert not any("validation/bound" in row for row in history.rows)
    assert history.best is None


def test_a_bad_gradient_of_a_good_loss_is_never_saved(tmp_path: Path) -> None:
    """A square root at zero: the loss is finite, its gradient is not."""
    torch.manual_seed(0)
    net = er.nets.MLP(2, [], SMALL)
    root = er.register("test_root", Root)(net)
    model = er.Model(
        er.StandardNormal(2),
        er.Conditional(root, er.Bernoulli(SMALL), "z"),
        er.Conditional(er.nets.MLP(SMALL, [], 4), er.Gaussian(2), "x"),
    )
    with pytest.raises(NonFinite, match="gradient"):
        fit(model, torch.eye(SMALL), er.ELBO(), steps=1, out=tmp_path / "run")
    state = everything(tmp_path / "run")
    assert all(v.isfinite().all() for k, v in state.items() if k.startswith("model/"))


class Root(torch.nn.Module):
    """A network plus ``0 · |w|`` at w = 0."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net, self.w = net, torch.nn.Parameter(torch.zeros(3))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.net(z) + 0.0 * self.w.square().sum().sqrt()
