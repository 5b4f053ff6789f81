"""The scripts of the page, and the policy that lets the browser run only these."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any

from markupsafe import Markup

VEGA = resources.files("bench.report.html") / "vega"
"""The bundle and its licences, built by tools/build_vega_bundle.py."""
_VERSIONS = json.loads((VEGA / "versions.json").read_text(encoding="utf-8"))
VEGA_NOTICE = (
    f"Plots by Vega {_VERSIONS['vega']} and Vega-Lite {_VERSIONS['vega-lite']},"
    " © Interactive Data Lab of the University of Washington, BSD-3-Clause"
)


@cache
def vega() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script, about 900 kB, which defines `window.vegaEmbed`."""
    return inline((VEGA / "vega.js").read_text(encoding="utf-8"))


def inline(script: str) -> Markup:
    """Our script or Vega as the content of a <script> element, which nothing in it can close."""
    return Markup(script.replace("\r\n", "\n").replace("</script", r"<\/script"))


def as_json(data: Any) -> Markup:
    """Data as the content of a <script type="application/json"> element, which no string in it can leave."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026"))


def policy(*scripts: str) -> str:
    """A Content-Security-Policy under which these inline scripts run and no request leaves the page."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    rules = f"script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; {rules}"
