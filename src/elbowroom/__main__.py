"""``python -m elbowroom``, and so ``torchrun -m elbowroom``, are the command line."""

from __future__ import annotations

from elbowroom.cli import main

if __name__ == "__main__":
    main()
