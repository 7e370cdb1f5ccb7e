"""The wheel holds the package and nothing else, and works where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from blocks import ROOT

pytest.importorskip("build", reason="pip install elbowroom[dev]")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    check([sys.executable, *command], out)
    (built,) = out.glob("*.whl")
    return built


def test_every_module_and_nothing_else(wheel: Path) -> None:
    source = ROOT / "src"
    expected = {
        str(p.relative_to(source))
        for p in source.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == expected
    assert "elbowroom/__init__.py" in packed


def test_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        metadata = Parser().parsestr(archive.read(inside["METADATA"]).decode())
        entry_points = archive.read(inside["entry_points.txt"]).decode()
        assert archive.read(inside["LICENSE"]).decode() == (ROOT / "LICENSE").read_text()
    core = [r for r in metadata.get_all("Requires-Dist", []) if "extra ==" not in r]
    assert metadata["Name"] == "elbowroom"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert len(core) == len(PROJECT["dependencies"])
    assert "elbowroom = elbowroom.cli:main" in entry_points
    assert "# elbowroom" in metadata.get_payload()


def test_installed_wheel_works(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    folder = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = folder / "python"
    # The dependencies stand beside the tests already. Named in a .pth file, their folder is
    # searched after the new one, and its own .pth files (this package's editable install) are
    # not read.
    site = tmp_path / "venv" / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    (site / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = ["-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    check([sys.executable, *install, str(wheel)], tmp_path)
    where = check([str(python), "-c", "import elbowroom; print(elbowroom.__file__)"], tmp_path)
    assert Path(where.strip()).is_relative_to(site)
    version = check([str(folder / "elbowroom"), "--version"], tmp_path)
    assert wheel.name.split("-")[1] in version


def test_constraints_pin_every_requirement() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    extras = [r for group in PROJECT["optional-dependencies"].values() for r in group]
    for requirement in [*PROJECT["dependencies"], *extras]:
        wanted = requirement.split(">=")[0].split("==")[0]
        assert wanted in pins, f"{wanted} has no exact version in constraints.txt"
    assert all("/" not in version and "+" not in version for version in pins.values())
    assert "torchvision" not in pins


def check(command: list[str], folder: Path) -> str:
    """Run a command outside the repository and return what it printed."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout
