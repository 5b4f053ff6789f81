"""The documentation site: every page is in its navigation, and links that leave docs/ lead nowhere outside the site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tools.site_links import on_page_markdown

ROOT = Path(__file__).resolve().parents[1]


def pages(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    return [page for value in (entry.values() if isinstance(entry, dict) else entry) for page in pages(value)]


def test_every_page_is_in_the_navigation_once() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(pages(site["nav"])) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    for hook in site["hooks"]:
        assert (ROOT / hook).is_file()


def test_links_out_of_the_docs_become_paths() -> None:
    text = "[the table](../results/gate.md), [`a/b.sh`](../a/b.sh) and [gate](gate.md)"
    assert on_page_markdown(text, page=None) == "the table (`results/gate.md`), `a/b.sh` and [gate](gate.md)"
    for path in (ROOT / "docs").glob("*.md"):
        assert "](../" not in on_page_markdown(path.read_text(encoding="utf-8"))
