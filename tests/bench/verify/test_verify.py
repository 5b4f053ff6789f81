"""Every damage to a run is found, named and repaired, and nothing else is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.gate.baseline import save_baseline
from bench.gate.decision import decide
from bench.grid.sections import GateSection
from bench.report.compare.view import build_comparison
from bench.report.formats import report
from bench.results.finished_run import open_evaluated
from bench.results.folder import open_run
from bench.results.record import write_record
from bench.results.schema import write_table
from bench.verify.command import repair, verify
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.verify.findings import Findings

ROOT = Path(__file__).resolve().parents[3]
RULES = GateSection(permutations=200)


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    """A copy of the small run, at the same distance from its grid."""
    return shutil.copytree(small_run, tmp_path / "run")


def flip(path: Path, share: float = 0.5) -> None:
    content = bytearray(path.read_bytes())
    content[int(share * (len(content) - 1))] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def part(kind: str) -> Callable[[Path], Path]:
    return lambda run: min((run / "store" / kind).rglob("*.parquet"))


def table(name: str) -> Callable[[Path], Path]:
    return lambda run: run / f"{name}.parquet"


def halve(name: str, column: str, seal: bool) -> Callable[[Path], None]:
    """Halve the first number of a column; `seal` records the hash of the edited table, as a forger would."""

    def edit(run: Path) -> None:
        path = run / f"{name}.parquet"
        content = pq.read_table(path)
        values = content[column].to_pylist()
        values[0] = values[0] / 2
        at = content.column_names.index(column)
        changed = content.set_column(
            at, content.schema.field(column), pa.array(values, content.schema.field(column).type)
        )
        record = open_run(run).record
        sha256 = write_table(path, changed)
        if seal:
            write_record(run, record.model_copy(update={"files": {**record.files, path.name: sha256}}))

    return edit


def edit_json(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(run: Path) -> None:
        text = (run / name).read_text()
        assert old in text
        (run / name).write_text(text.replace(old, new, 1))

    return edit


DAMAGES: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    **{
        f"a flipped byte of {name}": (lambda run, n=name: flip(run / f"{n}.parquet"), f"{name}.parquet", "does not match")
        for name in ("cells", "images", "steps", "metrics", "references", "test_set")
    },
    "a truncated table": (lambda run: truncate(run / "images.parquet"), "images.parquet", "does not match its hash"),
    "a table gone": (lambda run: (run / "steps.parquet").unlink(), "steps.parquet", "missing"),
    "an edited record": (edit_json("run.json", '"n_images": 5', '"n_images": 6'), "run.json", "does not match its own hash"),
    "a broken record": (edit_json("run.json", "{", "["), "run.json", "cannot be read as JSON"),
    "an edited identity": (edit_json("identity.json", '"tile": 4', '"tile": 8'), "identity.json", "its own hash"),
    **{
        f"a flipped byte in {kind}": (lambda run, k=kind: flip(part(k)(run)), kind, "does not match its name")
        for kind in ("trajectories", "features", "pixels", "reference", "truth-tokens", "truth-likelihood", "painted")
    },
    "a truncated part": (lambda run: truncate(part("features")(run)), "features", "does not match its name"),
    "an empty part": (lambda run: part("pixels")(run).write_bytes(b""), "pixels", "empty"),
    "a missing block": (lambda run: shutil.rmtree(part("features")(run).parent), "features", "of block 0 (tiny, efficient"),
    "a missing trajectory": (lambda run: part("trajectories")(run).unlink(), "trajectories", "of block 0 (tiny, "),
    "an edited score": (halve("cells", "fd", seal=False), "cells.parquet", "fd of cosine-2-1-"),
    "an edited and sealed score": (halve("cells", "fd", seal=True), "cells.parquet", "fd of cosine-2-1-"),
    "an edited and sealed speed": (halve("cells", "images_per_s", seal=True), "cells.parquet", "images_per_s of cosine-2-1-"),
    "an edited and sealed metric": (halve("metrics", "value", seal=True), "metrics.parquet", "value of cosine-2-1-"),
    "an edited and sealed image": (halve("images", "psnr_hole_db", seal=True), "images.parquet", "psnr_hole_db of cosine"),
    "an edited and sealed influence": (halve("images", "influence", seal=True), "images.parquet", "influence of cosine-2-1-"),
    "an edited and sealed reference": (halve("references", "value", seal=True), "references.parquet", "value of "),
    "an edited and sealed step": (halve("steps", "mean_confidence", seal=True), "steps.parquet", "mean_confidence of "),
    "an edited and sealed mask": (halve("test_set", "hole_ratio", seal=True), "test_set.parquet", "hole_ratio of 0"),
}  # fmt: skip


def named(findings: Findings, where: str, text: str) -> bool:
    return any(where in damage.file and text in damage.text for damage in findings.damages)


def test_an_intact_run_has_no_damage_and_all_of_it_is_checked(small_run: Path) -> None:
    findings = verify(small_run)
    assert findings.intact, findings.damages
    assert not findings.unchecked
    assert findings.checked["files"] == 8
    tables = [pq.read_metadata(path).num_rows for path in small_run.glob("*.parquet")]
    assert findings.checked["rows"] == sum(tables)
    assert findings.checked["blocks of stored work"] == len(list((small_run / "store").rglob("*.parquet")))


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_found_and_named(run: Path, damage: str) -> None:
    break_it, where, text = DAMAGES[damage]
    break_it(run)
    findings = verify(run)
    assert named(findings, where, text), findings.damages
    assert all(where in d.file for d in findings.damages), "something else is named too"


def outputs(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}


def test_a_repair_computes_what_is_damaged_and_writes_the_same_bytes(run: Path, small_run: Path) -> None:
    """All damages that leave run.json intact, at once: speeds are kept, and everything else follows from the inputs."""
    for path in (part("features")(run), part("trajectories")(run), run / "cells.parquet", run / "metrics.parquet"):
        flip(path)
    shutil.rmtree(run / "store" / "painted")
    (run / "steps.parquet").unlink()
    findings = repair(run, verify(run), quiet=True)
    assert findings.intact, findings.damages
    assert {Path(damage.file).name for damage in findings.repaired} >= {
        "cells.parquet",
        "metrics.parquet",
        "steps.parquet",
    }
    identical = outputs(run)
    for name, content in outputs(small_run).items():
        if name != "identity.json":  # it names the folder of the grid, which is elsewhere
            assert identical[name] == content, name


def test_a_repair_of_the_record_measures_speeds_again(run: Path, small_run: Path) -> None:
    flip(run / "run.json")
    findings = repair(run, verify(run), quiet=True)
    assert findings.intact, findings.damages
    assert outputs(run)["images.parquet"] == outputs(small_run)["images.parquet"]


def readers(run: Path, original: Path, out: Path) -> list[Callable[[], object]]:
    return [
        lambda: report(run, "json", out / "report.json"),
        lambda: report(run, "markdown", out / "report.md"),
        lambda: build_comparison([original, run]),
        lambda: decide(open_evaluated(run), open_evaluated(original), RULES, "test"),
        lambda: save_baseline(run, out / "baseline"),
    ]


@pytest.mark.parametrize("name", ["run.json", "cells.parquet", "test_set.parquet", "images.parquet"])
def test_no_reader_serves_a_damaged_file(run: Path, small_run: Path, tmp_path: Path, name: str) -> None:
    flip(run / name)
    refused = 0
    for read in readers(run, small_run, tmp_path):
        try:
            read()
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{run / name}: ")
            assert "maskbench verify RUN --repair" in str(error)
            assert "\n" not in str(error)
    assert refused == {"images.parquet": 3}.get(name, 5), "a gate and a baseline need no images.parquet"


def test_the_gate_refuses_damaged_features_of_a_baseline(run: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    save_baseline(run, base)
    assert verify(base).intact
    decide(open_evaluated(run), open_evaluated(base), RULES, "test")
    flip(base / "features.safetensors", share=0.9)
    assert named(verify(base), "features.safetensors", "does not match its hash")
    with pytest.raises(InputError, match=r"features\.safetensors: edited or damaged"):
        decide(open_evaluated(run), open_evaluated(base), RULES, "test")
    with pytest.raises(InputError, match="baseline save"):
        repair(base, verify(base))


def test_runs_without_hashes_are_read_and_said_to_be_unverified(run: Path, tmp_path: Path) -> None:
    """As those of earlier versions: no hashes, no identity."""
    content = json.loads((run / "run.json").read_text())
    for key in ("sha256", "files", "identity"):
        del content[key]
    (run / "run.json").write_text(json.dumps(content))
    (run / "identity.json").unlink()
    report(run, "markdown", tmp_path / "report.md")
    assert "files unverified" in (tmp_path / "report.md").read_text()
    assert decide(open_evaluated(run), open_evaluated(run), RULES, "test").unverified == (str(run), str(run))
    findings = verify(run)
    assert findings.intact, findings.damages
    assert any("earlier version" in text for text in findings.unchecked)
    halve("cells", "fd", seal=False)(run)
    assert named(verify(run), "cells.parquet", "fd of cosine-2-1-")


def test_the_committed_baseline_is_read_and_what_cannot_be_checked_is_said() -> None:
    findings = verify(ROOT / "results" / "baseline")
    assert findings.intact, findings.damages
    assert findings.unchecked


def test_results_committed_without_their_store_say_so(run: Path) -> None:
    shutil.rmtree(run / "store")
    findings = verify(run)
    assert findings.intact, findings.damages
    assert any("stored work" in text and "is not there" in text for text in findings.unchecked)
    halve("cells", "fd", seal=True)(run)
    assert verify(run).intact, "nothing is left to compare the score with, as said"


def test_without_the_test_set_only_what_needs_its_pixels_is_not_checked(run: Path) -> None:
    record = open_run(run).record
    spec = {**record.spec, "data": {**record.spec["data"], "count": 6}}  # other images than those of the run
    write_record(run, record.model_copy(update={"spec": spec}))
    halve("metrics", "value", seal=True)(run)
    findings = verify(run)
    assert any("token_accuracy" in text and "changed since the run" in text for text in findings.unchecked)
    assert named(findings, "metrics.parquet", "value of cosine-2-1-")
    assert len(findings.damages) == 1


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_tells_damage_by_its_exit_code(small_run: Path, run: Path) -> None:
    assert invoke("verify", small_run).exit_code == 0
    flip(run / "cells.parquet")
    damaged = invoke("verify", run, "--json")
    assert damaged.exit_code == 2
    assert json.loads(damaged.stdout)["damages"][0]["file"] == str(run / "cells.parquet")
    assert "cells.parquet" in invoke("verify", run, "--format", "markdown").stdout
