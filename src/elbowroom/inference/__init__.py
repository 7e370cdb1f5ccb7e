"""How a posterior is fitted, by one argument of `fit`.

Each is a small object with one method, :meth:`~elbowroom.inference.base.Inference.prepare`.
"""

from elbowroom.inference.alternating import AlternatingInference
from elbowroom.inference.base import Inference, Prepared
from elbowroom.inference.joint import JointInference
from elbowroom.inference.naive_monte_carlo import NaiveMonteCarloInference
from elbowroom.inference.per_datum import PerDatumInference
from elbowroom.inference.refined import (
    HamiltonianInference,
    LangevinInference,
    SemiAmortisedInference,
)
from elbowroom.inference.wake_sleep import ReweightedWakeSleepInference, WakeSleepInference

__all__ = [
    "AlternatingInference",
    "HamiltonianInference",
    "Inference",
    "JointInference",
    "LangevinInference",
    "NaiveMonteCarloInference",
    "PerDatumInference",
    "Prepared",
    "ReweightedWakeSleepInference",
    "SemiAmortisedInference",
    "WakeSleepInference",
]
