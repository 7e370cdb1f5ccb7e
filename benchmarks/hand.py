"""The best loop that a person writes for one model: what generality has to be measured against."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.nets import pair_of
from benchmarks.pictures import digits
from elbowroom.train.allocator import keep_freed_memory

BATCH = 100


class Training:
    """A plain loop: rows gathered in memory, one loss, fused Adam; arguments as in `ours`."""

    def __init__(
        self,
        kind: str,
        sizes: Sequence[int],
        event: Sequence[int],
        rows: int,
        squared: bool = False,
        precision: str = "32-true",
        device: str = "cpu",
    ) -> None:
        if device == "cpu":
            keep_freed_memory()
        self.encoder, self.decoder = (net.to(device) for net in pair_of(kind, sizes, squared))
        self.data = digits(rows, event).to(device)
        self.squared, self.low = squared, precision != "32-true"
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.adam = torch.optim.Adam(parameters, 1e-3, fused=True)
        self.order, self.at = torch.randperm(rows, device=device), 0

    def run(self, steps: int) -> None:
        for _ in range(steps):
            x = self.data.index_select(0, self.rows())
            if self.low:
                with torch.autocast(x.device.type, torch.bfloat16):
                    loss = self.loss(x)
            else:
                loss = self.loss(x)
            self.adam.zero_grad(set_to_none=True)
            loss.backward()
            self.adam.step()

    def rows(self) -> Tensor:
        """Return the next batch of a permutation, a new one every epoch."""
        if self.at + BATCH > len(self.order):
            self.order, self.at = torch.randperm(len(self.order), device=self.order.device), 0
        self.at += BATCH
        return self.order[self.at - BATCH : self.at]

    def loss(self, x: Tensor) -> Tensor:
        """Return minus the bound, a mean over the batch, up to constants."""
        mean, log_scale = self.encoder(x).float().chunk(2, -1)
        scale = log_scale.exp()
        z = torch.addcmul(mean, scale, torch.randn_like(scale))
        output = self.decoder(z).float()
        if self.squared:
            error = 0.5 * F.mse_loss(output, x, reduction="sum")
        else:
            error = F.binary_cross_entropy_with_logits(output, x, reduction="sum")
        kl = 0.5 * (mean.square() + scale.square() - 1.0).sum() - log_scale.sum()
        return (error + kl) / len(x)
