"""The example that trains a model of ours under Lightning's Trainer."""

from __future__ import annotations

import importlib.util
import math
import sys
from types import ModuleType

import pytest
import torch
from blocks import ROOT

pytest.importorskip("lightning", reason="Lightning is an extra: pip install elbowroom[lightning]")


@pytest.fixture(scope="module")
def example() -> ModuleType:
    path = ROOT / "examples" / "lightning_example.py"
    spec = importlib.util.spec_from_file_location("lightning_example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_lightning_trains_the_model_unchanged(example: ModuleType) -> None:
    x = example.digits()
    before, after = example.digits_model(), example.main(steps=150).model
    worst = bound(before, x)
    best = bound(after, x)
    # An untrained decoder gives about 64 log ½ = -44.4 nats; independent pixels reach the entropy
    # of their means, which a model that uses its latents must beat.
    rate = x.mean(0).clamp(1e-6, 1 - 1e-6)
    independent = float((rate * rate.log() + (1 - rate) * (1 - rate).log()).sum())
    assert worst < 64 * math.log(0.5) + 1
    assert best > independent


def bound(model: torch.nn.Module, x: torch.Tensor) -> float:
    """Return the model's bound on the data, nats, without Lightning."""
    import elbowroom as er
    from elbowroom.random import seeded

    with seeded(1), torch.no_grad():
        loss = er.ELBO()(model, {"x": x}, torch.tensor(0.0))
    return float(loss.metrics["bound"].mean())
