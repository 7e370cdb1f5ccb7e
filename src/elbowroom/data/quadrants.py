"""Pictures cut into what is seen and what is to be told: quadrants given, the rest as data."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.spec import DataSpec, Variable
from elbowroom.errors import UserError

GIVEN = "given"


def quadrants(data: Splits, observed: int = 1) -> Splits:
    """Return pictures with some quadrants as the variable ``given`` and the others as ``x``.

    Args:
        data: pictures, whatever their values; binarised by threshold or once, if at all.
        observed: how many quadrants are given. 1: the lower left; 2: the left half; 3: all but
            the lower right.

    Returns:
        ``x`` ``(N, D)``: the unobserved pixels; ``given``: a picture ``(C, H/2, W/2)`` of one
        quadrant, ``(C, H, W/2)`` of two, a vector of three. Other columns stay.

    Raises:
        UserError: the data are no pictures with even sides, are binarised anew for each batch, or
            `observed` is not 1, 2 or 3.

    References:
        Learning Structured Output Representation using Deep Conditional Generative Models (Sohn,
        Lee, Yan 2015).
    """
    spec = data.spec
    if spec.image is None or spec.image[1] % 2 or spec.image[2] % 2:
        raise UserError(f"{spec.name}: quadrants are of pictures whose sides are even")
    if spec.binarize == "dynamic":
        raise UserError(f"{spec.name}: quadrants need binarize=threshold or static, not dynamic")
    seen = mask(spec.image, observed)
    parts = [cut(part, spec, seen, observed) for part in (data.train, data.validation, data.test)]
    train, validation, test = parts
    return Splits(train, validation, test, described(spec, seen, observed))


def mask(image: tuple[int, int, int], observed: int) -> Tensor:
    """Return which entries of a picture are given, boolean ``(C, H, W)``."""
    if observed not in (1, 2, 3):
        raise UserError(f"observed={observed}: 1, 2 or 3 quadrants are given")
    channels, height, width = image
    seen = torch.zeros(height, width, dtype=torch.bool)
    seen[height // 2 :, : width // 2] = True
    if observed > 1:
        seen[: height // 2, : width // 2] = True
    if observed > 2:
        seen[: height // 2] = True
    return seen.expand(channels, -1, -1)


def cut(part: object, spec: DataSpec, seen: Tensor, observed: int) -> Dataset:
    """Return one part with x cut in two."""
    if not isinstance(part, Dataset):
        raise UserError(f"{spec.name}: quadrants are cut in memory; the data are streamed")
    x = part.columns["x"].reshape(-1, *seen.shape)
    given = x[:, seen].reshape(len(x), *given_shape(seen, observed))
    return Dataset({**part.columns, "x": x[:, ~seen], GIVEN: given}, "none", part.levels)


def given_shape(seen: Tensor, observed: int) -> tuple[int, ...]:
    """Return the event shape of what is given."""
    channels, height, width = seen.shape
    shapes = {1: (channels, height // 2, width // 2), 2: (channels, height, width // 2)}
    return shapes.get(observed, (int(seen.sum()),))


def described(spec: DataSpec, seen: Tensor, observed: int) -> DataSpec:
    """Return what is known of the cut data."""
    shape = given_shape(seen, observed)
    image = None if observed == 3 else (shape[0], shape[1], shape[2])
    variable = Variable(spec.kind, shape, image, spec.levels)
    return replace(
        spec, name=f"{spec.name}, {observed} of 4 quadrants given", shape=(int((~seen).sum()),),
        image=None, variables={**spec.variables, GIVEN: variable}, source="array",
        fingerprint=f"{spec.fingerprint}-{observed}",
    )  # fmt: skip


def assemble(x: Tensor, given: Tensor, image: tuple[int, int, int], observed: int) -> Tensor:
    """Put unobserved pixels ``(N, D)`` and what was given together to ``(N, C, H, W)``."""
    seen = mask(image, observed)
    whole = x.new_zeros(len(x), *image)
    whole[:, ~seen] = x
    whole[:, seen] = given.reshape(len(x), -1).to(x)
    return whole
