"""What every test shares: one thread, double precision on demand, and no leaks between tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch.distributions import Distribution


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    """Fail a test that leaves torch's default dtype or its validation flag changed."""
    before = torch.get_default_dtype(), Distribution._validate_args
    yield
    after = torch.get_default_dtype(), Distribution._validate_args
    assert before == after, "a global of torch was changed"


@pytest.fixture
def double() -> Iterator[None]:
    """Make float64 the default, for identities that are exact."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def seed() -> int:
    """Seed torch's global generator, which models are initialised from."""
    torch.manual_seed(0)
    return 0
