"""One contestant, one process: no one else's allocator, caches of code or threads are shared."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

import torch


@dataclass(frozen=True)
class Entry:
    """What a contestant is made by: ``module:callable`` of this package, and its arguments.

    It makes an object with ``run(steps)``, and perhaps with ``value() -> float``.
    """

    maker: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def make(self, device: str) -> Any:
        module, _, name = self.maker.partition(":")
        return getattr(import_module(f"benchmarks.{module}"), name)(
            **self.arguments, device=device
        )


class Contestant:
    """The near end: a process that runs steps when told, and says how long they took."""

    def __init__(self, entry: Entry, threads: int, device: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.line, far = context.Pipe()
        arguments = (far, entry, threads, device)
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        far.close()

    def wait(self) -> None:
        """Wait until it is built."""
        self.line.recv()

    def run(self, steps: int) -> float:
        """Run, and return the seconds it took."""
        return self.ask(("run", steps))

    def value(self) -> float:
        """Return what it has reached: a bound, or a log-likelihood."""
        return self.ask(("value", 0))

    def ask(self, question: tuple[str, int]) -> float:
        self.line.send(question)
        return self.line.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.line.close()
        self.process.join()


def serve(line: Connection, entry: Entry, threads: int, device: str) -> None:
    """The far end: build, then answer until the line closes."""
    torch.set_num_threads(threads)
    built = entry.make(device)
    clock = clock_of(threads, device)
    line.send(0.0)
    while True:
        try:
            question, steps = line.recv()
        except EOFError:
            return
        if question == "value":
            line.send(built.value())
            continue
        start = clock()
        built.run(steps)
        line.send(clock() - start)


def clock_of(threads: int, device: str) -> Callable[[], float]:
    """CPU time of one thread; else the wall's, on a GPU after the device has finished."""
    if device.startswith("cuda"):
        return finished
    return time.process_time if threads == 1 else time.perf_counter


def finished() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()
