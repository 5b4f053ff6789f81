"""Doctor: what is missing is named, and only what an offline run needs makes an installation unsound."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.document.markdown import render_markdown
from bench.run import doctor
from bench.run.doctor import Health, Part, doctor_document

WELL, ILL = Part("well", True, "0123456789abcdef"), Part("ill", False, "gone; fetch it")


@pytest.mark.parametrize(("models", "sound"), [((WELL,), True), ((WELL, ILL), False), ((), True)])
def test_a_missing_extractor_or_extra_is_no_defect(
    models: tuple[Part, ...], sound: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = Health({"python": "3.11", "gpu": None}, models, (ILL,), (ILL,))
    assert health.sound == sound
    monkeypatch.setattr(doctor, "examine", lambda: health)
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == (0 if sound else 2)
    assert json.loads(result.stdout)["sound"] == sound


def test_the_document_names_every_part_and_what_it_lacks() -> None:
    text = render_markdown(doctor_document(Health({"python": "3.11", "gpu": None}, (WELL,), (ILL,), ())))
    assert "- well: ✓ 0123456789abcdef" in text
    assert "- ill: – gone; fetch it" in text
    assert "- gpu: –" in text
