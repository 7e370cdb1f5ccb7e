"""A report on one page that asks nothing of the network: pictures and style are inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from elbowroom.report.blocks import Block, Code, Listing, Picture, Prose, Table, escape
from elbowroom.train.files import write_text

__all__ = ["Code", "Picture", "Prose", "Section", "Table", "write_report"]

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'"
"""Even if a name slipped through unescaped, a browser would run nothing and fetch nothing."""

EMBEDS = (
    "This page holds pictures of the data the model was fitted to. With --no-embed, elbowroom fit "
    "and elbowroom resume write it without them."
)
LEFT_OUT = "Pictures that show data were left out of this page; with --embed they are in it."


@dataclass(frozen=True)
class Section:
    """A heading and the blocks under it.

    Attributes:
        heading: also its entry in the page's contents.
        blocks: :class:`Prose`, :class:`Code`, :class:`Table` and :class:`Picture`, in order.
    """

    heading: str
    blocks: Sequence[Block]


def write_report(
    path: str | Path,
    *,
    title: str,
    summary: Mapping[str, str | tuple[str, str]],
    sections: Sequence[Section],
    embeds_data: bool,
    lead: str = "",
) -> Path:
    """Write a self-contained HTML page, whole or not at all.

    Args:
        path: the file.
        title: of the page.
        summary: figures at a glance, by name: a value, or a value and a line under it.
        sections: in order.
        embeds_data: whether pictures that show data are included; the page says which.
        lead: a line under the title.

    Raises:
        UserError: the folder cannot be written or the disk is full.
    """
    path = Path(path)
    write_text(path, page(title, summary, sections, embeds_data, lead))
    return path


def page(
    title: str,
    summary: Mapping[str, str | tuple[str, str]],
    sections: Sequence[Section],
    embeds_data: bool,
    lead: str = "",
) -> str:
    """Return the page as text; see :func:`write_report`."""
    kept = [
        Section(s.heading, [b for b in s.blocks if embeds_data or not shows_data(b)])
        for s in sections
    ]
    kept = [s for s in kept if s.blocks]
    style = (files("elbowroom.report") / "page.css").read_text(encoding="utf-8")
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{style}</style></head><body>",
        f"<header><h1>{escape(title)}</h1>",
        Prose(lead).html() if lead else "",
        f"{contents(kept)}</header><main>",
        note(sections, embeds_data),
        glance(summary),
        *(section(place, one) for place, one in enumerate(kept)),
        "</main><footer>Written by elbowroom.</footer></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def shows_data(block: Block) -> bool:
    """Say whether a block is a picture or a listing of the user's data."""
    return isinstance(block, Picture | Listing) and block.shows_data


def note(sections: Sequence[Section], embeds_data: bool) -> str:
    """Say whether the page holds the user's data; nothing where no picture shows any."""
    if not any(shows_data(block) for one in sections for block in one.blocks):
        return ""
    return f'<p class="note">{escape(EMBEDS if embeds_data else LEFT_OUT)}</p>'


def glance(summary: Mapping[str, str | tuple[str, str]]) -> str:
    """Return the figures at a glance."""
    cells = []
    for name, shown in summary.items():
        value, below = (shown, "") if isinstance(shown, str) else shown
        small = f"<small>{escape(below)}</small>" if below else ""
        cells.append(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}{small}</dd></div>")
    return f'<dl class="glance">{"".join(cells)}</dl>' if cells else ""


def contents(sections: Sequence[Section]) -> str:
    """Return links to the sections."""
    links = (f'<a href="#s{place}">{escape(s.heading)}</a>' for place, s in enumerate(sections))
    return f"<nav>{''.join(links)}</nav>" if len(sections) > 1 else ""


def section(place: int, one: Section) -> str:
    """Return one section."""
    body = "\n".join(block.html() for block in one.blocks)
    return f'<section id="s{place}"><h2>{escape(one.heading)}</h2>\n{body}</section>'
