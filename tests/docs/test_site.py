"""The documentation builds without a warning, and points at files that exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from blocks import ROOT

LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
GENERATED = "api/"


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda page: page.stem,
)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text()) if not link.startswith(GENERATED)]
    assert [t for t in targets if not (page.parent / t).exists()] == []


def test_nothing_points_at_this_machine() -> None:
    pages = [p for p in ROOT.glob("*") if p.is_file() and p.suffix in (".md", ".txt", ".toml", "")]
    pages += [*(ROOT / "docs").glob("*.*"), *(ROOT / "examples").glob("*.py")]
    forbidden = re.compile(r"file://|/(?:home|root|work|opt)/")
    assert [str(p) for p in pages if forbidden.search(p.read_text(encoding="utf-8"))] == []


@pytest.mark.slow
def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("myst_nb", reason="pip install elbowroom[docs]")
    pytest.importorskip("pydata_sphinx_theme", reason="pip install elbowroom[docs]")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", "docs", str(tmp_path / "html")],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    front = (tmp_path / "html" / "index.html").read_text()
    assert not re.search(r'<(?:script|link)[^>]+(?:src|href)="https?://', front)
