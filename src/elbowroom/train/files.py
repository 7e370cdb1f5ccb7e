"""Writing that is whole or not at all: a file appears under its name only when it is complete."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from elbowroom.errors import UserError


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it over `path`.

    Raises:
        UserError: the folder cannot be written or the disk is full; `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(temporary)
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        temporary.chmod(0o666 & ~umask())
        os.replace(temporary, path)
    except (OSError, RuntimeError, ValueError) as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        if "I/O" in str(error) or "No space" in str(error) or "os error" in str(error):
            raise UserError(f"cannot write {path}: {error}") from error
        raise
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if type(error).__name__ == "SafetensorError":
            raise UserError(f"cannot write {path}: {error}") from error
        raise


def sweep(folder: Path) -> None:
    """Delete the unfinished files that killed processes left in a folder."""
    for part in folder.rglob(".*.part"):
        part.unlink(missing_ok=True)


def umask() -> int:
    """Return the process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def cannot_write(path: Path, error: OSError) -> UserError:
    """Say which file could not be written and why."""
    return UserError(
        f"cannot write {path}: {error.strerror or error}. What was there is untouched; free some "
        "space or choose another folder with --out."
    )


def write_text(path: Path, text: str) -> None:
    """Write text atomically, as UTF-8."""
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=True) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        UserError: the file is missing, truncated, or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path} does not exist; is {path.parent} a run folder?") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}") from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors atomically as safetensors."""
    from safetensors.torch import save_file

    # Copies, since the format refuses tensors that share memory (a module in two places).
    whole = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, lambda part: save_file(whole, part, dict(metadata)))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and metadata from safetensors.

    Raises:
        UserError: the file is missing, truncated, or not safetensors (a pickle, for instance).
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as handle:
            return {k: handle.get_tensor(k) for k in handle.keys()}, handle.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; is {path.parent} a run folder?") from None
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path} is truncated or not a safetensors file ({error}). Restore it from a copy, or "
            "fit again."
        ) from None
