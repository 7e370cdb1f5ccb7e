"""The benchmarks run, and compare the same mathematics."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

import elbowroom as er
from benchmarks import engine, hand, ours, peak, table, weighing
from benchmarks.__main__ import main
from benchmarks.rows import Row
from benchmarks.timing import Options, Spread, Times
from elbowroom.random import seeded

pythae = pytest.mark.skipif(find_spec("pythae") is None, reason="needs the bench extra")
SMALL: dict[str, Any] = {"kind": "perceptrons", "sizes": (64, 16, 2), "event": (64,), "rows": 200}


@pytest.mark.parametrize("squared", [False, True])
def test_the_loop_beside_ours_computes_our_bound(squared: bool) -> None:
    plain = hand.Training(**SMALL, squared=squared)
    model = ours.model_of((plain.encoder, plain.decoder), (64,), 2, squared)
    x = plain.data[:50]
    torch.manual_seed(1)
    loss = plain.loss(x).item()
    torch.manual_seed(1)
    bound = er.ELBO()(model, {"x": x}, torch.zeros(())).metrics["bound"].mean().item()
    constant = 32 * math.log(2 * math.pi) if squared else 0.0
    assert loss + constant == pytest.approx(-bound, rel=1e-5)


def test_both_loops_start_from_the_same_weights_and_learn() -> None:
    fast, plain = ours.Training(**SMALL), hand.Training(**SMALL)
    pairs = zip(fast.model.posterior.parameters(), plain.encoder.parameters())
    assert all(torch.equal(a, b) for a, b in pairs)
    before = fast.value()
    fast.run(100)
    plain.run(100)
    after = ours.Training(**SMALL)
    after.model = ours.model_of((plain.encoder, plain.decoder), (64,), 2)
    assert fast.value() > before + 5.0
    assert after.value() == pytest.approx(fast.value(), abs=2.0)


def test_plain_loops_of_evaluation_estimate_the_same_number() -> None:
    """Importance sampling to the last digits, from the same noise; annealing within its error."""
    sampling = weighing.Importance(1, 2000)
    with seeded(0):
        by_hand = sampling.value()
    assert by_hand == pytest.approx(ours.Importance(1, 2000).value(), abs=2e-3)
    settings: Any = {"chains": 64, "distributions": 30, "leaps": 3, "pilot": 5}
    annealing = weighing.Annealing(1, **settings)
    with seeded(0):
        by_hand = annealing.value()
    one = ours.Annealing(1, **settings)
    found = er.evaluate.annealed_log_marginal(one.model, one.pictures, one.settings)
    error = found.monte_carlo_error.item()
    assert error < 0.5
    # Two runs with as many chains: the difference has twice the variance of one.
    assert abs(by_hand - found.mean) < 4 * 2**0.5 * error


@pythae
def test_log_likelihoods_of_the_same_weights_agree() -> None:
    from benchmarks import theirs

    one, other = ours.LogLikelihood(3, 1000), theirs.LogLikelihood(3, 1000)
    assert one.value() == pytest.approx(other.value(), abs=0.5)


@pythae
def test_pythae_trains_as_ours_does() -> None:
    from benchmarks import theirs

    other = theirs.Training(rows=200, loss="bce")
    before = other.value()
    other.run(2)
    assert other.value() > before


def test_step_flops_are_torchs_own_count() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    plain = hand.Training(**{**SMALL, "rows": 100})
    with FlopCounterMode(display=False) as counter:
        plain.run(1)
    assert counter.get_total_flops() == peak.step_flops(64, 16, 2, 100)


def test_ratios_are_taken_round_by_round() -> None:
    times = Times({"slow": [2.0, 4.0, 9.0], "fast": [1.0, 4.0, 3.0]}, {})
    assert times.ratio("slow", "fast") == Spread(2.0, 1.0, 3.0)
    assert times.added("slow", "fast") == Spread(1.0, 0.0, 6.0)


def test_a_bar_is_judged_by_the_median() -> None:
    result = Spread(1.0, 0.5, 2.0)
    low = Row("a", 1, "b", None, None, result, "×", bar=0.95)
    high = Row("a", 1, "b", None, None, result, "s", bar=0.95, at_least=False)
    assert (low.met, high.met) == (True, False)
    assert [cells[-1] for cells in map(table.cells, (low, high))] == ["yes", "NO"]


def test_contestants_are_raced_in_processes_of_their_own() -> None:
    (row,) = engine.small(Options(quick=True, rounds=2))
    assert row.ours is not None
    assert row.theirs is not None
    assert 0 < row.theirs.low <= row.theirs.median <= row.theirs.high < 1
    assert 0 < row.ours.low < 1
    assert row.bar == 150.0


def test_the_table_is_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--quick", "--rounds", "1", "--threads", "1", "--out", str(tmp_path)]
    rows = main(["importing", *options])
    assert all(row.result.low > 0 for row in rows)
    assert all(row.name in capsys.readouterr().out for row in rows)
    (written,) = tmp_path.glob("*.json")
    kept = json.loads(written.read_text(encoding="utf-8"))
    assert [row["name"] for row in kept["rows"]] == [row.name for row in rows]
    assert kept["machine"]["torch"] == torch.__version__
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert all(row.name in page for row in rows)


def test_a_part_takes_the_place_of_its_own_rows_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Row("import, beyond torch's", 1, "torch", None, None, Spread(9.0, 9.0, 9.0), "s", 0.5)
    other = Row("convolutions", 2, "pythae", Spread(1, 1, 1), None, Spread(2, 1, 3), "×", 0.97)
    facts = table.machine(Options()) | {"date": "2000-01-01"}
    table.write(tmp_path, [old, other], facts)
    new = Row(old.name, 1, "torch", None, None, Spread(0.1, 0.1, 0.1), "s", 0.5, at_least=False)
    added = Row("64-32-2", 1, "hand-written", None, None, Spread(1, 1, 1), "µs")
    monkeypatch.setattr("benchmarks.__main__.run", lambda name, options: [new, added])
    options = ["--threads", "1", "--out", str(tmp_path)]
    main(["importing", *options])
    rows, taken_on = table.standing(tmp_path)
    assert rows == [new, other, added]
    assert taken_on[table.EARLIER] == "2000-01-01"
    assert "convolutions" in (tmp_path / "results.md").read_text(encoding="utf-8")
    table.write(tmp_path, rows, facts | {"date": "9999-01-01", "processor": "abacus"})
    with pytest.raises(SystemExit):
        main(["importing", *options])
    assert "another processor" in capsys.readouterr().err
    monkeypatch.setattr("benchmarks.__main__.runnable", lambda names: list(names))
    main(["--threads", "1", "2", "--out", str(tmp_path / "new")])
    assert len(table.standing(tmp_path / "new")[0]) > 2


def test_an_unknown_benchmark_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["speed"])
    assert "no benchmark 'speed'" in capsys.readouterr().err
