"""Every way a command can end, in one place: a message and an exit code, never a traceback."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from elbowroom.errors import UserError
from elbowroom.memory import shortage

LESS = "ask for less: fewer samples, a smaller batch_size, or fewer data with limit="


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command: bad input ends in exit code 2, a signal in 130 or 143."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            with termination():
                command(*arguments, **options)
        except UserError as error:
            fail(str(error), 2)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except OSError as error:
            fail(f"{error.filename or 'input or output'}: {error.strerror or error}", 2)
        except (MemoryError, RuntimeError, TypeError, ValueError) as error:
            short = shortage(error)
            if short is None:
                raise
            fail(f"{short}; {LESS}", 2)
        except KeyboardInterrupt as error:
            fail(str(error) or "interrupted", 128 + getattr(error, "signal_number", 2))

    return run


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived outside training, which has its own answer to it."""

    signal_number = signal.SIGTERM


@contextmanager
def termination() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that no file is left half-written."""

    def stop(number: int, frame: object) -> None:
        raise Terminated("terminated")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def fail(message: str, code: int) -> NoReturn:
    """Print one message to standard error and exit."""
    print(f"elbowroom: {message}", file=sys.stderr)
    sys.exit(code)
