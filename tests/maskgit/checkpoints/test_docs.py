"""docs/checkpoints.md names what the code knows."""

from __future__ import annotations

from pathlib import Path

from maskgit.checkpoints.attention_names import CONVENTIONS
from maskgit.checkpoints.declared import ORDERS, ROLES
from maskgit.checkpoints.evidence import CLEAR, GAIN, MOST_IMAGES
from maskgit.checkpoints.nearby import WEIGHTS
from maskgit.config import VARIANTS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "checkpoints.md"


def test_the_page_names_every_choice_and_threshold() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    for name, meaning in VARIANTS.items():
        assert f"| `{name}` | {meaning} |" in text
    for name in (*ROLES, *WEIGHTS):
        assert f"`{name}`" in text, name
    for name, meaning in ORDERS.items():
        assert f'`order = "{name}"` ({meaning})' in text
    assert f"up to {MOST_IMAGES} of your images" in text
    assert f"at least {GAIN:.0%}".replace("%", " %") in text
    assert f"more than {CLEAR:.0f} paired standard errors" in text
    named = text[text.index("Names on which public code agrees") :].split(")")[0]
    assert all(f"`{name}`" in named or name in ("toqkv", "w_qkv") for name in CONVENTIONS)
