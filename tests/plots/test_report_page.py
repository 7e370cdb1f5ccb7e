"""The report holds everything it shows, and nothing in it can act."""

from __future__ import annotations

import base64
import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from elbowroom.errors import UserError
from elbowroom.report import sections
from elbowroom.report.blocks import Table, is_numeric
from elbowroom.report.html import Code, Picture, Prose, Section, page, write_report

HOSTILE = "<script>alert('x')</script>\"'><img src=http://evil.example/a.png onerror=x>&amp;"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Reader(HTMLParser):
    """Collects tags, their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def report(embeds: bool = True) -> str:
    blocks: list[Any] = [
        Prose(HOSTILE),
        Code(HOSTILE),
        Table([HOSTILE, "value"], [[HOSTILE, "−1.5"], ["b", None]], caption=HOSTILE),
        Picture(PNG, HOSTILE, shows_data=True),
    ]
    parts = [Section(HOSTILE, blocks), Section("only data", [Picture(PNG, "", shows_data=True)])]
    return page(HOSTILE, {HOSTILE: (HOSTILE, HOSTILE)}, parts, embeds, HOSTILE)


def test_everything_that_came_from_outside_is_text() -> None:
    read = Reader(report())
    assert not read.open
    assert {tag for tag, _ in read.tags}.isdisjoint({"script", "iframe", "object", "link", "form"})
    # title, h1, lead, contents, dt, dd, small, h2, p, pre, caption, th, td, figcaption
    assert sum(word.count("<script>") for word in read.words) == 14
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)


def test_the_page_asks_nothing_of_the_network() -> None:
    read = Reader(report())
    addresses = [
        value or ""
        for _, attributes in read.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "poster", "background")
    ]
    assert addresses
    assert all(a.startswith(("data:image/png;base64,", "#")) for a in addresses)
    style = next(w for w in read.words if "color-scheme" in w)
    assert "url(" not in style
    assert "@import" not in style
    policy = [a["content"] for t, a in read.tags if t == "meta" and "http-equiv" in a]
    assert policy[0].startswith("default-src 'none'")


def test_pictures_travel_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    for picture in (Picture(path), Picture(PNG)):
        source = dict(Reader(picture.html()).tags)["img"]["src"]
        assert base64.b64decode(source.split(",")[1]) == PNG


def test_pictures_of_data_can_be_left_out_and_the_page_says_which() -> None:
    encoded = base64.b64encode(PNG).decode()
    with_data, without = report(True), report(False)
    assert with_data.count(encoded) == 2
    assert encoded not in without
    assert "only data" not in without, "a section that is empty is left out"
    assert "--no-embed" in with_data
    assert "were left out" in without
    assert 'class="note"' not in page("t", {}, [Section("s", [Picture(PNG)])], True)
    assert encoded in page("t", {}, [Section("s", [Picture(PNG)])], False)


def test_links_of_the_contents_lead_somewhere() -> None:
    read = Reader(report())
    targets = {a["id"] for _, a in read.tags if "id" in a}
    assert {a["href"] for t, a in read.tags if t == "a"} == {f"#{t}" for t in targets}


def test_numbers_stand_right() -> None:
    assert is_numeric(["−23.07", "1,234.5", "", "12 %", "1e-05", "–", "nan"])
    assert not is_numeric(["1", "one"])
    assert not is_numeric(["", ""])
    assert not is_numeric(["2.13.0", "3"])
    read = Reader(Table(["name", "value"], [["a", -1.5], ["b", None]]).html())
    kinds = [a.get("class") for t, a in read.tags if t in ("th", "td")]
    assert kinds == [None, "number"] * 3


def test_report_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments: dict[str, Any] = {"summary": {}, "sections": [], "embeds_data": True}
    path = write_report(tmp_path / "report.html", title="one", **arguments)
    old = path.read_text()
    assert old.startswith("<!doctype html>")
    assert old.endswith("</html>\n")

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left"):
        write_report(path, title="two", **arguments)
    assert path.read_text() == old
    assert os.listdir(tmp_path) == ["report.html"]


def test_sections_of_a_run(tmp_path: Path) -> None:
    made = sections.evaluation([["ELBO", "−1.00", "0.1", "nats"]], ["a bound"], {"KL": "no prior"})
    text = page("t", {}, [made, sections.data("rows", {"licence": None, "seed": 0})], True)
    words = Reader(text).words
    assert {"ELBO", "−1.00", "a bound", "KL", "no prior", "seed", "0"} <= set(words)
    assert "licence" not in words
    with pytest.raises(ValueError):
        sections.evaluation([["ELBO", "", "", ""]], [])
    drawn = {"b": (tmp_path / "b.png", "B"), "a": (tmp_path / "a.png", "A")}
    found = sections.figures("Pictures", drawn, ["a", "missing", "b"], ["b"]).blocks
    assert [(p.caption, p.shows_data) for p in found if isinstance(p, Picture)] == [
        ("A", False),
        ("B", True),
    ]
    last = sections.reproduction(["$ elbowroom fit x"], {"torch": "2"}, "same seed")
    assert [type(b) for b in last.blocks] == [Prose, Code, Table]
