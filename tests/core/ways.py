"""Every way of inference once, in the order of the documentation."""

from __future__ import annotations

from elbowroom.inference import (
    AlternatingInference,
    HamiltonianInference,
    JointInference,
    LangevinInference,
    NaiveMonteCarloInference,
    PerDatumInference,
    ReweightedWakeSleepInference,
    SemiAmortisedInference,
    WakeSleepInference,
)

EVERY = [
    JointInference(),
    AlternatingInference(),
    PerDatumInference(),
    WakeSleepInference(),
    ReweightedWakeSleepInference(),
    NaiveMonteCarloInference(),
    SemiAmortisedInference(2),
    HamiltonianInference(2),
    LangevinInference(2),
]
