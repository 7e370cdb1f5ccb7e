"""Every way a command can end, in one place: a message and an exit code, never a traceback."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from elbowroom.errors import UserError


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command: bad input ends in exit code 2, a signal in 130 or 143."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except UserError as error:
            fail(str(error), 2)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except MemoryError:
            fail("out of memory; try a smaller batch_size, or fewer data with limit=", 2)
        except OSError as error:
            fail(f"{error.filename or 'input or output'}: {error.strerror or error}", 2)
        except KeyboardInterrupt as error:
            fail(str(error) or "interrupted", 128 + getattr(error, "signal_number", 2))

    return run


def fail(message: str, code: int) -> NoReturn:
    """Print one message to standard error and exit."""
    print(f"elbowroom: {message}", file=sys.stderr)
    sys.exit(code)
