"""The audit as a document: counts, findings by name, the first of each kind or all, in every format."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from bench.audit.copies import audit
from bench.document.markdown import render_markdown
from bench.document.terminal import render_terminal
from bench.report.audit import SHOWN, as_json, audit_document

COPIES = SHOWN + 2


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Seven of nine test images are in the training folder."""
    images = np.random.default_rng(1).integers(0, 256, (COPIES + 2, 3, 16, 16), dtype=np.uint8)
    folder = tmp_path_factory.mktemp("train")
    for i, image in enumerate(images[:COPIES]):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"copy_{i}.png")
    findings = audit(images, [folder], near=False)
    return as_json(findings, "a|b.csv", [f"image_{i}" for i in range(len(images))])


def in_terminal(content: dict[str, object], everything: bool = False, width: int = 200) -> str:
    stream = io.StringIO()
    render_terminal(audit_document(content, everything), Console(file=stream, width=width, legacy_windows=False))
    return stream.getvalue()


@pytest.mark.parametrize("everything", [False, True])
def test_findings_are_named_up_to_the_limit_unless_all_are_asked_for(
    content: dict[str, object], everything: bool
) -> None:
    for text in (in_terminal(content, everything), render_markdown(audit_document(content, everything))):
        names = set(re.findall(r"image\\?_\d+ = ", text))
        assert len(names) == (COPIES if everything else SHOWN)
        assert (f"and {COPIES - SHOWN} more" in text) == (not everything)


def test_the_counts_are_those_of_the_json_in_every_format(content: dict[str, object]) -> None:
    markdown = render_markdown(audit_document(content))
    assert (
        f"{content['in_training']} are in the training folders, pixel by pixel; {content['clean']} are not" in markdown
    )
    assert f"| any of them | {COPIES} | {COPIES} | – |" in markdown
    assert markdown.startswith("## maskbench audit: a\\|b.csv")
    assert re.search(rf"any of them +{COPIES} +{COPIES} +–", in_terminal(content))
