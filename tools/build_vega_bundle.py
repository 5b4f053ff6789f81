"""Build the scripts of the HTML report: Vega, Vega-Lite and Vega-Embed as one file, with the licences of all contents.

    python tools/build_vega_bundle.py

The bundle comes from vl-convert, which needs no network; the licence texts come from the packages of the same versions on
the npm registry (`npm install`, without running any of their scripts). The result is committed, so neither tool is needed
to install or run maskbench.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import vl_convert

TARGET = Path(__file__).resolve().parents[1] / "bench" / "report" / "html" / "vega"
ENTRY = "window.vegaEmbed = vegaEmbed;"


def main() -> None:
    """Write vega.js, versions.json and LICENSES.txt."""
    TARGET.mkdir(exist_ok=True)
    versions = bundled_versions()
    (TARGET / "vega.js").write_text(vl_convert.javascript_bundle(ENTRY), encoding="utf-8", newline="\n")
    (TARGET / "versions.json").write_text(json.dumps(versions, indent=2) + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        modules = install(versions, Path(folder))
        (TARGET / "LICENSES.txt").write_text(licences(modules), encoding="utf-8")


def bundled_versions() -> dict[str, str]:
    """Versions of the three libraries in the bundle; vl-convert gives Vega-Lite's version without its last number."""
    return {
        "vega": vl_convert.get_vega_version(),
        "vega-lite": vl_convert.get_vegalite_versions()[-1],
        "vega-embed": vl_convert.get_vega_embed_version(),
    }


def install(versions: dict[str, str], folder: Path) -> Path:
    """Install the packages and all their dependencies; returns `node_modules`."""
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    packages = [f"{name}@{version}" for name, version in versions.items()]
    subprocess.run(["npm", "install", "--silent", "--ignore-scripts", *packages], cwd=folder, check=True)
    return folder / "node_modules"


def licences(modules: Path) -> str:
    """The text of every licence, once, under the packages it covers; they are a superset of the bundle's contents."""
    covered: dict[str, list[str]] = defaultdict(list)
    for manifest in sorted([*modules.glob("*/package.json"), *modules.glob("@*/*/package.json")]):
        package = json.loads(manifest.read_text(encoding="utf-8"))
        files = [
            path for path in sorted(manifest.parent.iterdir()) if path.name.lower().startswith(("license", "licence"))
        ]
        text = "\n\n".join(path.read_text(encoding="utf-8").strip() for path in files)
        if not text:
            raise SystemExit(f"{package['name']}: no licence text in the package; add it by hand")
        covered[text].append(f"{package['name']} {package['version']} ({package['license']})")
    sections = ["\n".join([*packages, "", text]) for text, packages in covered.items()]
    return ("\n\n" + 80 * "-" + "\n\n").join(sections).replace("\r\n", "\n") + "\n"


if __name__ == "__main__":
    main()
