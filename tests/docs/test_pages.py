"""The README and every page of the documentation do what they say."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from blocks import ROOT, blocks_of, commands, python_source

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs" / "systems").glob("*.md"))
PAGES += sorted((ROOT / "docs" / "inference").glob("*.md"))


def name(page: Path) -> str:
    return page.stem


@pytest.mark.parametrize("page", [p for p in PAGES if python_source(p).strip()], ids=name)
def test_python_blocks_run(page: Path, tmp_path: Path) -> None:
    # A process of its own: a page registers types and starts from nothing, as its reader does.
    run([sys.executable, "-c", python_source(page)], tmp_path)


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=name)
def test_commands_run(page: Path, tmp_path: Path) -> None:
    run(["bash", "-c", "set -e\n" + "\n".join(commands(page))], tmp_path)


def run(command: list[str], folder: Path) -> None:
    beside = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": beside + os.pathsep + os.environ["PATH"],
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "agg",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def test_blocks_keep_their_lines(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "text\n\n```python\nx = 1\n```\n\n```{code-cell} python\n:tags: [a]\ny = x\n```\n"
    )
    assert python_source(page).splitlines()[3] == "x = 1"
    assert python_source(page).splitlines()[8] == "y = x"
    assert [
        n.lineno for n in ast.walk(ast.parse(python_source(page))) if isinstance(n, ast.Assign)
    ] == [4, 9]


def test_marks_skip_and_shorten(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- test: skip -->\n```console\n$ elbowroom a\n```\n"
        "<!-- test: steps=7 -->\n```console\n$ elbowroom fit x --steps 2000 -o y\nprinted\n```\n"
        "```console\n$ elbowroom b --steps 3\n$ pip c\n```\n"
    )
    assert commands(page) == ["elbowroom fit x --steps 7 -o y", "elbowroom b --steps 3"]


def test_readme_has_what_it_promises() -> None:
    kinds = [block.kind for block in blocks_of(ROOT / "README.md")]
    assert kinds.count("python") == 2
    assert any("elbowroom fit digits" in line for line in commands(ROOT / "README.md"))
