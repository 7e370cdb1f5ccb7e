"""The command line: every command is one function, listed in :mod:`elbowroom.cli.app`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from elbowroom.cli.app import app

    app()
