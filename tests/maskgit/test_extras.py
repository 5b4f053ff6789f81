"""Optional packages: what is missing is named with the line that installs it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from maskgit.errors import InputError
from maskgit.extras import EXTRAS, install_line, installed, optional

PROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


TRACKERS = {"wandb", "mlflow"}  # of other people's services, with many packages of their own


def test_every_optional_module_has_its_extra_and_all_holds_each_but_the_trackers() -> None:
    extras = PROJECT["optional-dependencies"]
    assert set(EXTRAS.values()) <= set(extras)
    (everything,) = extras["all"]
    assert {extra for extra in EXTRAS.values() if extra not in everything} == TRACKERS
    assert "maskbench[all]" in extras["dev"]


def test_an_installed_module_is_imported() -> None:
    assert installed("imagehash")
    assert optional("imagehash", "the search") is sys.modules["imagehash"]


@pytest.mark.parametrize("module", EXTRAS)
def test_a_missing_module_is_refused_with_the_line_that_installs_it(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blocker:
        def find_spec(self, name: str, *_: object) -> None:
            if name == module:
                raise ModuleNotFoundError(name)

    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Blocker(), *sys.meta_path])
    assert not installed(module)
    with pytest.raises(InputError) as error:
        optional(module, "this test")
    assert str(error.value) == f"this test needs the package {module}, which is not installed; {install_line(module)}"
    assert install_line(module) == f"pip install 'maskbench[{EXTRAS[module]}]'"
