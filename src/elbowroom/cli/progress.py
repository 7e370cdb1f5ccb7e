"""One line that says how far a command is, where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, float, int], None]


@contextmanager
def bar(quiet: bool) -> Iterator[Progress | None]:
    """Give what is to be called with a stage, data done and data in all; None without a terminal.

    Args:
        quiet: whether nothing is to be shown.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Shown

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Shown(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as shown:
        task = shown.add_task("", total=None)

        def tell(stage: str, done: float, total: int) -> None:
            shown.update(task, description=stage, completed=done, total=total)

        yield tell
