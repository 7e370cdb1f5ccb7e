"""`evaluate --method`: other estimates of log p(x), and models they do not apply to."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Outcome, run

from elbowroom.cli.progress import bar

FEW = ("--distributions", 6, "--samples", 3, "--limit", 5)


def good(*arguments: object) -> Outcome:
    done = run(*arguments)
    assert done.code == 0, done.err
    return done


def test_ais_gives_log_p_of_some_of_the_data(table_run: Path) -> None:
    done = good("evaluate", table_run, "--method", "ais", "--limit", 3, *FEW[:4])
    assert "log p(x), AIS 6 × 3" in done.out
    assert "effective samples of 3" in done.out
    assert "take more --distributions (now 6)" in done.out or "chains agree" in done.out
    assert "acceptance" in done.out
    assert "3 of" in done.err


def test_ais_starts_from_the_posterior_too_and_is_json(table_run: Path, csv: Path) -> None:
    call = ("evaluate", table_run, csv, "--method", "ais", "--start", "posterior", *FEW, "--json")
    found = good(*call).json
    assert found["log_marginal"]["unit"] == "nats"
    assert found["settings"]["start"] == "posterior"
    assert found["n"] == {"evaluated": 5, "available": 40}
    assert found == {**good(*call).json, "seconds": found["seconds"]}


def test_ais_is_near_importance_sampling(table_run: Path, csv: Path) -> None:
    annealed = good(
        "evaluate", table_run, csv, "--method", "ais", "-T", 40, "-k", 8, "--json"
    ).json
    sampled = good("evaluate", table_run, csv, "--samples", 2000, "--json").json
    assert annealed["n"]["evaluated"] == 40
    difference = annealed["log_marginal"]["value"] - sampled["log_marginal"]["value"]
    assert abs(difference) < 0.2


def test_bdmc_gives_both_bounds(picture_run: Path) -> None:
    done = good("evaluate", picture_run, "--method", "bdmc", *FEW)
    assert "simulated data" in done.out
    for line in ("log p(x), lower bound", "log p(x), upper bound", "upper - lower"):
        assert line in done.out
    found = good("evaluate", picture_run, "--method", "bdmc", *FEW, "--json").json
    gap = found["upper_bound"]["value"] - found["lower_bound"]["value"]
    assert found["bidirectional_gap"]["value"] == pytest.approx(gap)
    assert found["part"] == "simulated"


def test_sbc_ranks_and_draws(table_run: Path, tmp_path: Path) -> None:
    picture = tmp_path / "ranks.png"
    call = ("evaluate", table_run, "--method", "sbc", "--samples", 9, "--limit", 60)
    done = good(*call, "--figure", picture)
    assert "p, if the posterior were exact" in done.out
    assert "log p(x|z)" in done.out
    assert "60 data simulated" in done.err
    assert picture.read_bytes().startswith(b"\x89PNG")
    found = good(*call, "--json").json
    assert found["settings"] == {"method": "sbc", "draws": 9, "seed": 0, "limit": 60}
    smallest = min(one["p_value"] for one in found["by_quantity"].values())
    assert found["calibration_p"]["value"] == pytest.approx(smallest)


def test_the_tail_of_the_weights_is_one_line(table_run: Path) -> None:
    done = good("evaluate", table_run, "--samples", 100)
    assert "Pareto k > 0.7" in done.out
    assert "Pareto" not in good("evaluate", table_run, "--samples", 10).out


def test_what_does_not_apply_is_refused(table_run: Path, tmp_path: Path) -> None:
    cases = {
        ("--method", "aiss"): "Did you mean 'ais'",
        ("--distributions", 5): "of --method ais and bdmc",
        ("--start", "prior"): "of --method ais and bdmc",
        ("--method", "sbc", "--start", "prior"): "of --method ais and bdmc",
        ("--figure", "ranks.png"): "of --method sbc",
        ("--method", "sbc", "--figure", "ranks.pdf"): "written as .png",
        ("--method", "ais", "--start", "middle"): "unknown start",
    }
    for options, words in cases.items():
        done = run("evaluate", table_run, *options)
        assert done.code == 2
        assert words in done.err
    folder = tmp_path / "bits"
    given = ("--model", "discrete-vae", "evaluate.samples=2", "--steps", 2, "--out", folder, "-q")
    good("fit", "digits", "limit=60", *given)
    for method in ("ais", "bdmc"):
        done = run("evaluate", folder, "--method", method, *FEW)
        assert done.code == 2
        assert "discrete" in done.err
        assert done.out == ""


def test_no_bar_without_a_terminal() -> None:
    with bar(False) as tell:
        assert tell is None
    with bar(True) as tell:
        assert tell is None
