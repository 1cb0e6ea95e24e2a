"""Numbers of the command line: none of them is taken that means nothing."""

import importlib

import pytest
from jsonargparse import ArgumentParser

from campose_core.cli.main import VERBS, main

NONSENSE = ("1e308", "-1e308", "nan", "inf", "1e900000", "9" * 26)
NEEDED = {
    "simulate": ["OUT"], "extract": ["a.mp4", "--scene", "S"], "build": ["a.mp4", "--scene", "S"],
    "localize": ["S", "a.mp4"], "evaluate": ["a.tum", "b.tum"], "replay": ["b", "--scene", "S", "--out", "O"],
    "train": ["S", "--model", "posenet"], "matrix": ["RUNS.yaml", "--out", "O"],
}  # fmt: skip
WORDS = ("float", "int", "Number", "Negative", "Fraction", "Port", "Count", "Seed", "Rate")  # in the names of types


def parser_of(verb: str) -> ArgumentParser:
    parser = ArgumentParser()
    importlib.import_module(f"campose_core.cli.{verb}").add_arguments(parser)
    return parser


def options_of_numbers(verb: str) -> list[tuple[str, int]]:
    """(option, how many values) of each option of a verb that takes numbers."""
    found = []
    for action in parser_of(verb)._actions:
        kind = getattr(action, "_typehint", None) or action.type
        if action.option_strings and any(word in f"{kind} {getattr(kind, '__name__', '')}" for word in WORDS):
            found.append((action.option_strings[-1], action.nargs if isinstance(action.nargs, int) else 1))
    return found


@pytest.mark.parametrize(
    ("verb", "some"),
    [
        ("simulate", {"--seed"}), ("extract", {"--fps"}), ("align", {"--mounting"}), ("view", {"--port"}),
        ("map", {"--mounting", "--max-keyframes"}), ("train", {"--epochs", "--seed", "--dropout", "--max-minutes"}),
        ("build", {"--fps", "--train.epochs"}), ("floor", {"--radius", "--resolution", "--origin"}),
        ("split", {"--val"}), ("replay", {"--base-from-camera"}), ("update", {"--fps"}), ("benchmark", {"--epochs"}),
        ("matrix", {"--workers"}),
    ],
)  # fmt: skip
def test_a_number_that_means_nothing_is_refused_with_its_option(verb, some, capsys):
    parser, options = parser_of(verb), options_of_numbers(verb)
    assert some <= {option for option, _ in options}
    for option, count in options:
        for number in NONSENSE:
            with pytest.raises(SystemExit) as ended:
                parser.parse_args(
                    [*NEEDED.get(verb, ["S"]), f"{option}={number}"]
                    if count == 1
                    else [*NEEDED.get(verb, ["S"]), option, *[number] * count]
                )
            assert ended.value.code == 2
            assert option.lstrip("-").replace("-", "_") in capsys.readouterr().err.replace("-", "_"), (option, number)


def test_no_verb_with_numbers_is_left_out():
    listed = {"simulate", "extract", "align", "view", "map", "train", "build", "floor", "split", "replay", "update"}
    assert {verb for verb in VERBS if options_of_numbers(verb)} == listed | {"benchmark", "matrix"}


@pytest.mark.parametrize("seed", ["-1", str(2**32), "1.5"])
def test_a_seed_is_none_of_these(seed, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["simulate", "OUT", "--seed", seed])
    assert ended.value.code == 2
    assert "seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["align", "S", "--tracker", "t.tum", "--mounting"], "--mounting"),
        (["map", "S", "--poses", "t.tum", "--mounting"], "--mounting"),
        (["replay", "b", "--scene", "S", "--out", "O", "--base-from-camera"], "--base-from-camera"),
    ],
)
@pytest.mark.parametrize("numbers", ["0 0 0 0 0 0 101", "0 0 0 0 0 0 0", "1 2 3 1 1 1 1"])
def test_a_quaternion_has_length_1(command, option, numbers, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.tum").write_text("0 0 0 0 0 0 0 1\n")
    code = main([*command, *numbers.split()])
    told = capsys.readouterr().err
    if "S is not a scene" not in told:
        assert (code, told.count("\n")) == (2, 1)
        assert f"{option}: a quaternion must have length 1" in told
