"""A classifier of pictures that stands outside: trained on data that no model is fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from elbowroom.conditional import Conditional, Product
from elbowroom.data.dataset import Dataset
from elbowroom.data.spec import DataSpec
from elbowroom.experiments.base import Bench
from elbowroom.families.categorical import CategoricalCodes
from elbowroom.model import Model
from elbowroom.nets.conv import ConvEncoder
from elbowroom.nets.mlp import Chain
from elbowroom.nets.rescale import Rescale
from elbowroom.objectives.elbo import ELBO
from elbowroom.random import seeded
from elbowroom.schedules import Cosine

BATCH = 500


@dataclass
class Classifier:
    """A fitted ``p(label|x)``."""

    model: Model

    def classes(self, pictures: Tensor) -> Tensor:
        """Return the most probable class of pictures ``(N, *event)``, ``(N,)``."""
        parts = [self.model.decode({"x": part})["label"] for part in pictures.split(BATCH)]
        return torch.cat(parts)

    def accuracy(self, pictures: Tensor, labels: Tensor) -> float:
        """Return the share of pictures that are read as their labels say."""
        return (self.classes(pictures) == labels).double().mean().item()


def train_classifier(
    bench: Bench,
    name: str,
    x: Tensor,
    label: Tensor,
    spec: DataSpec,
    steps: int = 1500,
    shifted: bool = True,
) -> Classifier:
    """Fit convolutions to pictures and their eight shifts by one pixel.

    Args:
        bench: where the run is kept.
        name: of the run.
        x: ``(N, C, H, W)``.
        label: ``(N,)``.
        spec: what is known of the pictures.
        steps: updates of 128 pictures.
        shifted: whether to add the shifts; pictures may be varied already.
    """
    reach = (-1, 0, 1) if shifted else (0,)
    places = [(down, right) for down in reach for right in reach]
    pictures = torch.cat([torch.roll(x, place, (-2, -1)) for place in places])
    data = Dataset({"x": pictures, "label": label.repeat(len(places))})
    classes = len(spec.labels or ())
    with seeded(bench.seed):
        net: nn.Module = ConvEncoder(x.shape[1:], [32, 64, 128], classes, hidden=128)
        if spec.kind == "levels":
            net = Chain([Rescale(0, (spec.levels or 2) - 1), net])
        likelihood = Conditional(net, CategoricalCodes((), classes), "x")
        model = Model(None, Product({"label": likelihood}), None)
    steps = bench.steps(steps)
    fitted, _ = bench.fit(
        name, model, data, ELBO(),
        steps=steps, batch_size=128, learning_rate=Cosine(2e-3, 1e-5, steps), average=0.99,
    )  # fmt: skip
    return Classifier(fitted.eval())
