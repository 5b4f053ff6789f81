from __future__ import annotations

from pathlib import Path

import pytest

from bench.grid.spec import Override, Spec, load_spec, parse_override, parse_spec, with_paths_from
from maskgit.errors import InputError

BASE = {"model": {"checkpoint": "catfaces"}, "data": {"dataset": "catfaces"}}


def spec(**sections: dict) -> Spec:
    return parse_spec({**BASE, **sections}, "grid.toml")


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"grid": {"gama": ["cosine"]}}, ["grid.gama", "gamma"]),
        ({"grdi": {}}, ["grdi", "grid"]),
        ({"grid": {"gamma": "cosin"}}, ["cosin", "cosine"]),
        ({"grid": {"gamma": "power:-1"}}, ["power:-1"]),
        ({"grid": {"sweet_spot": [0]}}, ["grid.sweet_spot", "0 is not a step"]),
        ({"grid": {"sweet_spot": [-3]}}, ["grid.sweet_spot", "-3"]),
        ({"grid": {"sweet_spot": [1.5]}}, ["grid.sweet_spot", "1.5"]),
        ({"grid": {"sweet_spot": []}}, ["grid.sweet_spot", "empty"]),
        ({"grid": {"gamma": []}}, ["grid.gamma"]),
        ({"grid": {"total_iter": [0]}}, ["grid.total_iter"]),
        ({"grid": {"total_iter": ["8"]}}, ["grid.total_iter"]),
        ({"grid": {"include": [{"gama": "cosine"}]}}, ["grid.include", "gama", "gamma"]),
        ({"data": {"dataset": "dogs"}}, ["data.dataset", "catfaces"]),
        ({"data": {"masks": "m"}}, ["data", "ground_truth"]),
        ({"data": {"dataset": "catfaces", "masks": "m"}}, ["data", "not both"]),
        ({"data": {"dataset": "catfaces", "limit": 0}}, ["data.limit"]),
        ({"model": {}}, ["model", "checkpoint"]),
        ({"model": {"transformer": "t.pt", "tokenizer_config": "v.yml"}}, ["model", "transformer_config not given"]),
        ({"model": {"checkpoint": ["a", "b"], "transformer": "t.pt"}}, ["model", "one checkpoint"]),
        ({"model": {"checkpoint": "a", "mean": [0.5, float("inf"), 0.5]}}, ["model.mean.1"]),
        ({"grid": {"gamma": 3}}, ["grid.gamma", "string"]),
        ({"grid": {"gamma": [["cosine"]]}}, ["grid.gamma", "string"]),
        ({"grid": {"sweet_spot": [True]}}, ["grid.sweet_spot", "True is neither a step nor a fraction"]),
        ({"grid": {"sweet_spot": ["4"]}}, ["grid.sweet_spot", "'4' is neither a step nor a fraction"]),
        ({"grid": {"sweet_spot": "most"}}, ["grid.sweet_spot", "'most' is neither a step nor a fraction"]),
        ({"grid": {"sampling_temperature": float("inf")}}, ["grid.sampling_temperature"]),
        ({"grid": {"choice_temperature": "4.5"}}, ["grid.choice_temperature"]),
        ({"grid": {"fix_at_least_one": "yes"}}, ["grid.fix_at_least_one"]),
        ({"metrics": {"allow_unverified_weights": "yes"}}, ["metrics.allow_unverified_weights"]),
        ({"run": {"seeds": ["1"]}}, ["run.seeds"]),
        ({"execution": {"device": "gpu"}}, ["execution.device"]),
        ({"run": {"seeds": [1, 1]}}, ["run.seeds", "twice"]),
        ({"gate": {"tolerence": 0.1}}, ["gate.tolerence", "tolerance"]),
        ({"gate": {"alpha": 0.5}}, ["gate.alpha", "0.5"]),
        ({"gate": {"cells": [{"gama": "cosine"}]}}, ["gate.cells.0.gama", "gamma"]),
        ({"gate": {"inconclusive": "maybe"}}, ["gate.inconclusive", "'pass', 'fail' or 'exit'"]),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file_and_the_key(sections: dict, named: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        spec(**sections)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("grid.toml: ")
    for text in named:
        assert text in message


def test_what_is_no_table_is_named_though_the_command_line_sets_a_key_in_it(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text('data = 3\n[model]\ncheckpoint = "catfaces"\n')
    with pytest.raises(InputError, match=r"grid\.toml: data: "):
        load_spec(tmp_path / "grid.toml", [Override(("data", "limit"), 4, "--limit")])


@pytest.mark.parametrize(
    ("text", "keys", "value"),
    [
        ("grid.total_iter=[8, 12]", ("grid", "total_iter"), [8, 12]),
        ("data.count = 16", ("data", "count"), 16),
        ("grid.gamma=cosine", ("grid", "gamma"), "cosine"),
        ('grid.gamma="cosine"', ("grid", "gamma"), "cosine"),
        ("model.checkpoint=runs/a=b.pt", ("model", "checkpoint"), "runs/a=b.pt"),
    ],
)
def test_an_override_is_toml_or_plain_text(text: str, keys: tuple[str, ...], value: object) -> None:
    override = parse_override(text)
    assert (override.keys, override.value) == (keys, value)


@pytest.mark.parametrize("text", ["grid", "grid.gamma", "gamma=cosine", ".gamma=cosine", "grid.=cosine", "="])
def test_an_override_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"section\.key=value"):
        parse_override(text)


def test_overrides_replace_the_file_and_pass_the_same_checks(tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text('[model]\ncheckpoint = "catfaces"\n[data]\ndataset = "catfaces"\n[grid]\ntotal_iter = 4\n')
    given = [parse_override("grid.total_iter=[8,12]"), parse_override("gate.alpha=0.1")]
    assert load_spec(path, given).grid.total_iter == (8, 12)
    assert load_spec(path, given).gate.alpha == 0.1
    with pytest.raises(InputError, match=r"^--set grid\.totl_iter: .*did you mean 'total_iter'"):
        load_spec(path, [parse_override("grid.totl_iter=3")])


def test_a_scalar_is_a_list_of_one() -> None:
    assert spec(grid={"gamma": "cosine", "total_iter": 8}) == spec(grid={"gamma": ["cosine"], "total_iter": [8]})


def test_a_spec_survives_json() -> None:
    whole = spec(
        grid={"sweet_spot": [1, 0.5], "include": [{"gamma": "square", "sweet_spot": "all"}]},
        run={"seeds": [1, 2]},
        gate={"cells": ["an-id", {"gamma": "square", "total_iter": 8}]},
    )
    assert parse_spec(whole.model_dump(mode="json"), "run.json") == whole


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(
        '[model]\ncheckpoint = "catfaces"\n[data]\nmasks = "m"\nground_truth = "/abs/gt.csv"\ntrain = ["a", "b"]\n'
    )
    data = with_paths_from(load_spec(tmp_path / "grid.toml"), tmp_path).data
    assert data.masks == tmp_path / "m"
    assert data.ground_truth == Path("/abs/gt.csv")
    assert data.train == (tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("content", [b"[run", b"\xff\xfe", b"[run]\nname = 1 2"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.toml"):
        load_spec(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml"):
        load_spec(tmp_path / "none.toml")
