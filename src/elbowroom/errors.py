"""The one error a user is meant to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NEAR = 0.75  # share of letters in common above which a name is a misspelling of another
LONGEST, FEW = 500, 12  # characters that a list may have; how many stand for a longer one


class UserError(Exception):
    """A mistake in the input, in one message that names what is at fault and what to do.

    The command line prints it and exits with code 2; from Python it is an ordinary exception.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest of `known`, or an empty string.

    Where none is very near, one that the word begins with is meant: frey by frey-faces.
    """
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=NEAR)
    near = near or [name for name in known if word.startswith(f"{name}-")]
    near = near or difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


def unknown(kind: str, word: object, known: Iterable[str]) -> UserError:
    """Build the error for a name that is not in a list: nearest name and all that exist.

    Of a list too long to read the nearest few are named. What is given may be no word at all.
    """
    known = sorted(known)
    near, listed = did_you_mean(str(word), known), ", ".join(known)
    if len(listed) > LONGEST:
        few = difflib.get_close_matches(str(word), known, n=FEW, cutoff=0.0)
        listed = f"{', '.join(sorted(few))}, … ({len(known)} in all)"
    return UserError(f"unknown {kind} {word!r}.{near} Known: {listed}.")
