"""What all experiments found: a page of tables, and a gallery of their pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elbowroom.experiments.running import read
from elbowroom.report.html import Picture, Prose, Section, Table, write_report
from elbowroom.train.files import write_json, write_text

HEADERS = ("figure", "ours", "bar", "", "published or expected")
PREAMBLE = """# Results

Every figure below comes from a run of the experiment of that name; nothing is typed in by hand.
The page is written by

    elbowroom reproduce all --results docs/results.md

which leaves out experiments that have results already, so it can be interrupted at any time.
"""
Record = dict[str, Any]


def write_results(path: Path, records: list[Record]) -> None:
    """Write one Markdown table per experiment, with date, versions, machine and seed.

    The records stand beside it as JSON. What stands there already and is not among `records`,
    measured on another day or machine, stays on the page.
    """
    beside = path.with_suffix(".json")
    before = read(beside).get("records", []) if beside.exists() else []
    fresh = {record["experiment"] for record in records}
    every = [*records, *(one for one in before if one["experiment"] not in fresh)]
    write_json(beside, {"records": every})
    write_text(path, "\n".join([PREAMBLE, *(markdown(one) for one in every)]))


def markdown(record: Record) -> str:
    """Return an experiment's heading, table and circumstances."""
    lines = [f"## {record['experiment']}", "", f"{record.get('question', '')}", ""]
    lines += [row_of(HEADERS), row_of(["---"] * len(HEADERS))]
    lines += [row_of(cells(row)) for row in record["rows"]]
    return "\n".join([*lines, "", f"{circumstances(record)}.", ""])


def cells(row: Record) -> list[str]:
    """Return a figure's cells; the verdict stands beside the bar."""
    verdict = {None: "", True: "met", False: "**missed**"}[row.get("met")]
    return [row["what"], row["ours"], row.get("bar", ""), verdict, row.get("published", "")]


def row_of(values: Any) -> str:
    """Return one line of a Markdown table."""
    return "| " + " | ".join(str(v).replace("|", "\\|").replace("\n", " ") for v in values) + " |"


def circumstances(record: Record) -> str:
    """Say under what circumstances the figures were measured."""
    versions = record["versions"]
    quick = "a quick run that proves nothing, " if record.get("quick") else ""
    spent = record.get("cpu_seconds")
    spent = "processor time not recorded" if spent is None else f"{spent:,.0f} CPU seconds"
    return (
        f"Source: {record.get('source', '')}. Measured {quick}{record.get('date', '')}, seed "
        f"{record['seed']}, {spent}, elbowroom "
        f"{versions['elbowroom']}, torch {versions['torch']}, Python {versions['python']}, "
        f"{record.get('machine', versions['machine'])}, threads: {versions['threads']}"
    )


def write_gallery(path: Path, folder: Path, records: list[Record]) -> int:
    """Write one page with the pictures of all experiments, and return how many there are."""
    sections, count = [], 0
    for record in records:
        pictures = sorted((folder / record["experiment"]).glob("*.png"))
        count += len(pictures)
        table = Table(HEADERS, [cells(row) for row in record["rows"]])
        shown = [Picture(one, one.stem.replace("-", " ")) for one in pictures]
        prose = Prose(f"{record.get('question', '')} {circumstances(record)}.")
        sections.append(Section(record["experiment"], [prose, *shown, table]))
    met = [row.get("met") for record in records for row in record["rows"]]
    write_report(
        path,
        title="Gallery",
        lead="Every picture that the experiments drew, with the figures beside them.",
        summary={
            "experiments": str(len(records)),
            "pictures": str(count),
            "bars met": f"{met.count(True)} of {met.count(True) + met.count(False)}",
        },
        sections=sections,
        embeds_data=True,
    )
    return count
