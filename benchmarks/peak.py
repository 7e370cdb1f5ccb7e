"""The share of the machine's measured matrix-product peak that a training step reaches."""

from __future__ import annotations

import torch

from benchmarks.rows import Row
from benchmarks.timing import Options, Spread, race
from benchmarks.worker import Entry

SIDE = 2048
SIZES, BATCH = (784, 512, 16), 100
PRECISIONS = {"float32": "32-true", "bf16": "bf16-mixed"}


class Product:
    """Multiplies two square matrices.

    Args:
        dtype: ``"float32"`` or ``"bf16"``.
        device: where.
    """

    def __init__(self, dtype: str, device: str = "cpu") -> None:
        kind = torch.bfloat16 if dtype == "bf16" else torch.float32
        generator = torch.Generator().manual_seed(0)
        self.left, self.right = (
            torch.randn(SIDE, SIDE, generator=generator).to(device, kind) for _ in range(2)
        )

    def run(self, steps: int) -> None:
        for _ in range(steps):
            torch.mm(self.left, self.right)


def rows(options: Options) -> list[Row]:
    return [row for dtype in PRECISIONS for row in shares(dtype, options)]


def shares(dtype: str, options: Options) -> list[Row]:
    """Return the peak and the step's share of it, each round's step by the same round's peak."""
    arguments = {
        "kind": "perceptrons",
        "sizes": SIZES,
        "event": SIZES[:1],
        "rows": 2_000 if options.quick else 60_000,
        "precision": PRECISIONS[dtype],
    }
    step, product = "elbowroom", f"{dtype} matrix product"
    entries = {
        product: Entry("peak:Product", {"dtype": dtype}),
        step: Entry("ours:Training", arguments),
    }
    times = race(entries, options, steps=20, rounds=5)
    flops, work = 2.0 * SIDE**3, float(step_flops(*SIZES, BATCH))
    peak = Spread.of(flops / seconds / 1e9 for seconds in times.seconds[product])
    ratio = times.ratio(product, step)
    percent = Spread(*(100 * work / flops * r for r in (ratio.median, ratio.low, ratio.high)))
    name, threads = "-".join(str(size) for size in SIZES), options.threads
    took, took_product = times.of(step), times.of(product)
    return [
        Row(f"{dtype} peak, {SIDE}³", threads, "", None, took_product, peak, "GFLOP/s"),
        Row(f"{name} {dtype}, of peak", threads, product, took, took_product, percent, "%"),
    ]


def step_flops(entries: int, hidden: int, latent: int, batch: int) -> int:
    """Return the floating-point operations of a step's linear layers.

    Each costs ``2·B·n·m`` forward, as much for the weight's gradient and as much for the input's,
    which the first layer does not need.
    """
    first = entries * hidden
    weights = first + hidden * 2 * latent + latent * hidden + hidden * entries
    return 2 * batch * (3 * weights - first)
