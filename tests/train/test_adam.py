"""Our step of Adam against torch's, bit for bit."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from elbowroom.random import seeded
from elbowroom.train.adam import Adam


def net(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    with seeded(0):
        return nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 2)).to(dtype)


def weights(
    kind: type[torch.optim.Adam], steps: int = 8, frozen_until: int = 0, **options: Any
) -> list[Tensor]:
    """Train a small network; its first layer has no gradient before step `frozen_until`."""
    trained = net(options.pop("dtype", torch.float32))
    adam = kind(trained.parameters(), lr=1e-2, **{"fused": True, **options})
    dtype = next(trained.parameters()).dtype
    x = torch.linspace(-1, 1, 30, dtype=dtype).view(5, 6)
    for count in range(steps):
        adam.zero_grad()
        trained(x).square().sum().backward()
        if count < frozen_until:
            for p in trained[0].parameters():
                p.grad = None
        if count == steps // 2:
            adam.load_state_dict(copy.deepcopy(adam.state_dict()))
        adam.step()
    return list(trained.parameters())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1, "betas": (0.8, 0.95), "eps": 1e-4},
        {"dtype": torch.float64},
        {"frozen_until": 3},
        {"amsgrad": True},
        {"maximize": True},
        {"fused": False},
    ],
)
def test_weights_are_torchs_bit_for_bit(options: dict[str, Any]) -> None:
    ours, torchs = weights(Adam, **options), weights(torch.optim.Adam, **options)
    assert all(torch.equal(a, b) for a, b in zip(ours, torchs))
    assert not any(torch.equal(a, b) for a, b in zip(ours, weights(Adam, steps=1)))


def test_the_kernel_is_reached_without_torchs_step(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = net()
    adam = Adam(trained.parameters(), fused=True)
    calls = []
    own = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda self, closure=None: calls.append(1) or own(self, closure)
    )
    for _ in range(3):
        trained(torch.ones(1, 6)).sum().backward()
        adam.step()
    assert len(calls) == 1  # the first, which makes the state


def test_hooks_and_closures_are_torchs() -> None:
    trained, seen = net(), []
    adam = Adam(trained.parameters(), fused=True)

    def closure() -> float:
        loss = trained(torch.ones(1, 6)).sum()
        loss.backward()
        return loss.item()

    with torch.enable_grad():
        assert isinstance(adam.step(closure), float)
    adam.register_step_post_hook(lambda *_: seen.append(1))
    adam.step()
    assert seen == [1]
