"""The shipped scripts are those that the tool builds, with a licence for each of their packages."""

from __future__ import annotations

import json

import pytest
import vl_convert

from tools.build_vega_bundle import ENTRY, TARGET, bundled_versions

VERSIONS = json.loads((TARGET / "versions.json").read_text(encoding="utf-8"))


def test_the_bundle_is_what_vl_convert_makes() -> None:
    if bundled_versions() != VERSIONS:
        pytest.skip(f"vl-convert bundles {bundled_versions()}, the committed one is of {VERSIONS}")
    assert (TARGET / "vega.js").read_text(encoding="utf-8") == vl_convert.javascript_bundle(ENTRY)


def test_every_library_has_its_licence_beside_the_bundle() -> None:
    licences = (TARGET / "LICENSES.txt").read_text(encoding="utf-8")
    for name, version in VERSIONS.items():
        assert f"\n{name} {version}" in licences
    assert "Redistribution and use in source and binary forms" in licences
