"""`report`: the destination of each format, and the messages for damaged run folders."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import IncompleteRunError
from bench.report.formats import FORMATS, report
from bench.report.view import build
from maskgit.errors import InputError

MakeRun = Callable[..., Path]


# --- bad folders -----------------------------------------------------------------------------------------------------


def break_cells(run: Path, column: str) -> None:
    cells = pq.read_table(run / "cells.parquet")
    pq.write_table(cells.drop_columns([column]), run / "cells.parquet")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda run: (run / "run.json").write_text('{"schema": 3, "na'), "cannot be read as JSON"),
        (lambda run: (run / "run.json").write_bytes(b"\xff\xfe\x00"), "cannot be read as JSON"),
        (lambda run: (run / "run.json").write_text('{"schema": 9}'), "schema is 9"),
        (lambda run: (run / "run.json").write_text("[]"), "schema is 'list'"),
        (lambda run: (run / "run.json").write_text('{"schema": 3, "name": 3}'), "run.json: name"),
        (lambda run: (run / "cells.parquet").unlink(), "cells.parquet: missing"),
        (lambda run: (run / "images.parquet").unlink(), "images.parquet: missing"),
        (lambda run: (run / "steps.parquet").write_bytes(b"PAR1"), "steps.parquet: cannot be read as Parquet"),
        (lambda run: (run / "cells.parquet").write_bytes(b""), "cells.parquet: cannot be read as Parquet"),
        (lambda run: break_cells(run, "sweet_spot"), "lacks the column sweet_spot"),
        (lambda run: break_cells(run, "fd"), "lacks the column fid or fd"),
        (lambda run: pq.write_table(pq.read_table(run / "cells.parquet")[:0], run / "cells.parquet"), "has no cell"),
    ],
)
def test_a_damaged_run_folder_is_one_clear_line(make_run: MakeRun, harm: Callable[[Path], object], words: str) -> None:
    run = make_run(n_images=32)
    harm(run)
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        build(run)
    assert "\n" not in str(caught.value)


def test_cells_with_the_same_settings_are_refused(make_run: MakeRun) -> None:
    run = make_run(n_images=32)
    cells = pq.read_table(run / "cells.parquet")
    place = cells.column_names.index("sweet_spot")
    same = cells.set_column(place, cells.schema.field(place), pa.array([1] * len(cells), pa.int32()))
    pq.write_table(same, run / "cells.parquet")
    with pytest.raises(InputError, match="same settings"):
        build(run)


def test_no_folder_and_no_tables_yet(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such run folder"):
        build(tmp_path / "none")
    (tmp_path / "store").mkdir()
    with pytest.raises(IncompleteRunError):
        build(tmp_path)


# --- report() --------------------------------------------------------------------------------------------------------


def test_every_format_goes_to_a_file(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(n_images=32)
    stored = pq.read_table(run / "cells.parquet")
    for format in FORMATS:
        report(run, format, tmp_path / f"out.{format}")
        assert (tmp_path / f"out.{format}").stat().st_size > 1000
    assert pq.read_table(tmp_path / "out.parquet").equals(stored)
    read = pd.read_csv(tmp_path / "out.csv", keep_default_na=False, na_values={"fd_se": [""]})
    pd.testing.assert_frame_equal(read, stored.to_pandas(), check_dtype=False)
    assert {path.name for path in tmp_path.iterdir()} == {"run", *(f"out.{format}" for format in FORMATS)}


def test_text_formats_go_to_standard_output(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(n_images=32)
    for format, words in (("rich", "maskbench: default"), ("markdown", "## maskbench"), ("csv", '"cell_id"')):
        report(run, format)
        assert words in capsys.readouterr().out
    report(run, "json")
    assert json.loads(capsys.readouterr().out)["schema"] == 1
    with pytest.raises(InputError, match="--output"):
        report(run, "parquet")


def test_bad_format_and_bad_output(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(n_images=32)
    with pytest.raises(InputError, match="rich, markdown, html, json, csv, parquet"):
        report(run, "pdf")
    with pytest.raises(InputError, match="a folder; name a file"):
        report(run, "json", tmp_path)


def test_reports_import_no_torch() -> None:
    code = (
        "import sys, bench.report.formats, bench.report.view;"
        " sys.exit(any(name.split('.')[0] in ('torch', 'torchvision') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
