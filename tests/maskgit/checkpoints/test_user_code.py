"""User code in isolation: its imports are its own, ours stay ours, and nothing is left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bench
import maskgit
from maskgit.checkpoints import user_code
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from maskgit.checkpoints.user_code import UserCode


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def load(base: Path, text: str) -> UserCode:
    return user_code.load(user_code.refer(text, base, "model.attention"))


def refusal(base: Path, text: str) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(base, text)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert "_user_code_" not in message
    return message


TREE = {
    "models/__init__.py": "WHO = '{who}'\n",
    "models/net/layers.py": """
import json, os.path
import models.net.sizes as sizes
from models import WHO
from .sizes import SIDE
from utils.helper import *
import maskgit, bench

class Layer:
    seen = (WHO, sizes.SIDE, SIDE, HELP, maskgit.WHO, bench.WHO, __import__("models").WHO)
    def later(self):
        import late
        from models.net import lazy
        return late.WHO, lazy.WHO
""",
    "models/net/sizes.py": "SIDE = 3\n",
    "models/net/lazy.py": "WHO = '{who}'\n",
    "utils/helper.py": "HELP = '{who} helps'\n",
    "maskgit/__init__.py": "WHO = '{who}'\n",
    "bench.py": "WHO = '{who}'\n",
    "late.py": "import models.net.lazy\nWHO = models.net.lazy.WHO\n",
}


def tree(folder: Path, who: str) -> Path:
    return write(folder, {name: text.replace("{who}", who) for name, text in TREE.items()})


def test_imports_are_the_trees_own_and_two_trees_never_mix(tmp_path: Path) -> None:
    bases = [tree(tmp_path / who, who) for who in ("a", "b")]
    before = (list(sys.path), set(sys.modules), Path.cwd(), list(sys.argv))
    layers = [load(base, "models/net/layers.py:Layer").value for base in bases]
    for who, layer in zip("ab", layers, strict=True):
        assert layer.seen == (who, 3, 3, f"{who} helps", who, who, who)
        assert layer().later() == (who, who)  # imported when called
    assert (sys.path, Path.cwd(), sys.argv) == (before[0], before[2], before[3])
    added = set(sys.modules) - before[1]
    assert all(name.startswith(user_code.PREFIX) for name in added)
    assert sys.modules["maskgit"] is maskgit
    assert sys.modules["bench"] is bench


def test_the_same_tree_loaded_twice_shares_no_state(tmp_path: Path) -> None:
    layer = "import counted\ndef add(): counted.calls.append(1); return counted\n"
    write(tmp_path, {"counted.py": "calls = []\n", "layer.py": layer})
    first, second = (load(tmp_path, "layer.py:add").value for _ in range(2))
    first(), first(), second()
    assert (len(first().calls), len(second().calls)) == (3, 2)


def test_the_library_is_itself_where_the_tree_has_no_package_of_its_name(tmp_path: Path) -> None:
    write(tmp_path, {"model.py": "import maskgit\ndef ours(): return maskgit\n"})
    assert load(tmp_path, "model.py:ours").value() is maskgit


def test_installed_modules_come_before_loose_folders_and_the_standard_library_before_all(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "numpy/saved/notes.py": "",  # a folder of that name is no package where one is installed
            "json.py": "raise RuntimeError\n",
            "yaml.py": "WHO = 'theirs'\n",  # a module at the root wins, as for a script that runs there
            "deep/yaml.py": "raise RuntimeError\n",
            "deep/layer.py": "import json, numpy, yaml\ndef get(): return json.dumps, numpy.ones, yaml.WHO\n",
        },
    )
    import json

    import numpy

    assert load(tmp_path, "deep/layer.py:get").value() == (json.dumps, numpy.ones, "theirs")


def test_folders_that_the_code_puts_on_the_path_are_searched(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "repo/layer.py": "import sys, os\nsys.path.append(os.path.join(os.path.dirname(__file__), '..', 'lib'))\n"
            "import extra\ndef get():\n    import extra_later\n    return extra.X, extra_later.X\n",
            "lib/extra.py": "X = 1\n",
            "lib/extra_later.py": "X = 2\n",
        },
    )
    code = load(tmp_path / "repo", "layer.py:get")
    assert code.value() == (1, 2)
    assert not any(entry.startswith(str(tmp_path)) for entry in sys.path)
    assert "extra" not in sys.modules
    assert code.fingerprint("f") != "f"  # it took a source that no import statement of the tree leads to


@pytest.mark.parametrize("place", ["git", "above", "models", "package"])
def test_the_root_of_the_tree_is_found(tmp_path: Path, place: str) -> None:
    base = tmp_path / "elsewhere"
    files = {"root.py": "X = 1\n", "models/net/layer.py": "import root\ndef get(): return root.X\n"}
    if place == "package":
        files = {"root.py": "X = 1\n", "net/__init__.py": "", "net/layer.py": "import root\ndef get(): return root.X\n"}
    repo = write(tmp_path / "repo", files)
    base.mkdir()
    if place == "git":
        (repo / ".git").mkdir()
        base = repo / "models"
    if place == "above":
        base = repo
    file = next(repo.rglob("layer.py"))
    assert load(base, f"{os.path.relpath(file, base)}:get").value() == 1


def test_the_digest_follows_every_source_that_is_imported_and_no_other(tmp_path: Path) -> None:
    def digest(base: Path) -> str:
        return user_code.refer("models/net/layers.py:Layer", base, "model.attention").digest

    first, moved = digest(tree(tmp_path / "a", "x")), digest(tree(tmp_path / "moved", "x"))
    assert first == moved
    write(tmp_path / "moved", {"unused.py": "", "models/net/unused.py": ""})
    assert digest(tmp_path / "moved") == first
    for name in TREE:
        other = tree(tmp_path / f"other-{name.replace('/', '-')}", "x")
        (other / name).write_text((other / name).read_text() + "# changed\n")
        assert digest(other) != first, name


def test_the_digest_takes_no_execution(tmp_path: Path) -> None:
    write(tmp_path, {"layer.py": "raise SystemExit\nimport torch\nclass Layer: pass\n"})
    assert user_code.refer("layer.py:Layer", tmp_path, "model.attention").digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layer.py:Absent", "has no class or function Absent; it has Layer, other"),
        ("layer.py", "path/to/file.py:Name"),
        ("layer:Layer", "path/to/file.py:Name"),
        ("gone.py:Layer", "no file"),
        ("broken.py:Layer", "broken.py, line 2: is not Python"),
        ("needs.py:Layer", "imports no_such_module_anywhere"),
        ("raises.py:Layer", "ZeroDivisionError"),
        ("argparse_.py:Layer", "SystemExit"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    write(
        tmp_path,
        {
            "layer.py": "import os\nclass Layer: pass\ndef other(): pass\n",
            "broken.py": "x = 1\nclass Layer(:\n",
            "needs.py": "import no_such_module_anywhere.part\nclass Layer: pass\n",
            "raises.py": "1 / 0\n",
            "argparse_.py": "import argparse\np = argparse.ArgumentParser()\n"
            "p.add_argument('--x', required=True)\np.parse_args()\n",
        },
    )
    message = refusal(tmp_path, text)
    assert said in message
    assert text.partition(":")[0] in message


def test_a_source_that_changes_after_it_was_hashed_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"layer.py": "import part\nclass Layer: pass\n", "part.py": ""})
    reference = user_code.refer("layer.py:Layer", tmp_path, "model.attention")
    (tmp_path / "part.py").write_text("x = 1\n")
    with pytest.raises(CheckpointError, match=r"part\.py: changed"):
        user_code.load(reference)


def test_no_cache_is_written_into_the_users_folders(tmp_path: Path) -> None:
    tree(tmp_path, "a")
    load(tmp_path, "models/net/layers.py:Layer").value().later()
    assert not list(tmp_path.rglob("__pycache__"))


def test_what_it_prints_is_no_output_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"layer.py": "print('hello')\nclass Layer: pass\n"})
    load(tmp_path, "layer.py:Layer")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "hello" in printed.err
