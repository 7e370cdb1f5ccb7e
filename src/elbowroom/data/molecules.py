"""Molecules as strings: SMILES and SELFIES, cut into tokens and put together again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from elbowroom.errors import UserError

NOTATIONS = ("smiles", "selfies")
"""How molecules are cut into tokens; see :mod:`elbowroom.data.text`."""

SMILES_TOKEN = re.compile(
    r"\[[^\]]+\]|Br|Cl|[BCNOSPFI]|[bcnops]|%\d\d|\d|[=#$:/\\().+\-~*@?>]", re.ASCII
)
"""An atom in brackets, an atom of the organic subset, a ring's number, a bond or a branch."""


def smiles(lines: Sequence[str]) -> list[list[str]]:
    """Cut SMILES into atoms, bonds, branches and ring numbers: joined, they are the line again.

    A line that has anything else in it gives an empty list.
    """
    cut = [SMILES_TOKEN.findall(line) for line in lines]
    return [tokens if "".join(tokens) == line else [] for tokens, line in zip(cut, lines)]


def selfies(lines: Sequence[str]) -> list[list[str]]:
    """Translate SMILES to SELFIES and cut them into symbols.

    Every sequence of symbols is a molecule. A line that cannot be translated gives an empty list;
    lines that are SELFIES already are only cut.

    Raises:
        UserError: the package ``selfies`` is not installed.

    References:
        Self-referencing embedded strings (arXiv:1905.13741).
    """
    package = selfies_package()
    return [_symbols(package, line) for line in lines]


def _symbols(package: Any, line: str) -> list[str]:
    try:
        # SELFIES are nothing but brackets, and SMILES of such alone are hardly written.
        written = line if re.fullmatch(r"(\[[^\]]+\]\.?)+", line) else package.encoder(line)
        return list(package.split_selfies(written))
    except (package.EncoderError, ValueError):
        return []


def as_smiles(lines: Sequence[str], notation: str = "selfies") -> list[str]:
    """Write molecules as SMILES, whatever they were written in; an empty one stays empty.

    A symbol of SELFIES that was ``<unknown>`` adds nothing to its molecule.

    Args:
        lines: SELFIES or SMILES.
        notation: which of them.

    Raises:
        UserError: the package ``selfies`` is not installed.
    """
    if notation != "selfies":
        return list(lines)
    package = selfies_package()
    known = [line.replace("<unknown>", "[nop]") for line in lines]
    return [package.decoder(line) if line else "" for line in known]


def selfies_package() -> Any:
    """Import the package ``selfies``.

    Raises:
        UserError: it is not installed.
    """
    try:
        import selfies as package
    except ImportError:
        raise UserError(
            "SELFIES need the extra: pip install 'elbowroom[molecules]'; notation=smiles does "
            "without"
        ) from None
    return package


def chemistry() -> Any:
    """Import ``rdkit.Chem``, and keep it from commenting on every molecule that is none.

    Raises:
        UserError: it is not installed.
    """
    try:
        from rdkit import Chem, RDLogger
    except ImportError:
        raise UserError(
            "this needs the extra: pip install 'elbowroom[molecules]' (RDKit)"
        ) from None
    RDLogger.DisableLog("rdApp.*")  # pyright: ignore[reportAttributeAccessIssue]
    return Chem
