"""The command line as a person meets it: help, wrong usage, one line for a fault."""

import re
import subprocess
import sys

import pytest

from campose_core.cli.main import VERBS, main


def campose(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "campose_core.cli.main", *arguments], capture_output=True, text=True)


def test_help_lists_every_verb():
    shown = campose("--help")
    assert shown.returncode == 0
    assert all(f"  {verb} " in shown.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb):
    shown = campose(verb, "--help")
    assert shown.returncode == 0, shown.stderr
    assert f"usage: campose {verb}" in shown.stdout


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["map"], ["map", "scene", "--mapper", "magic"], ["split", "a", "--x"]]
)
def test_wrong_usage_exits_with_2(arguments):
    shown = campose(*arguments)
    assert shown.returncode == 2
    assert "Traceback" not in shown.stderr
    assert shown.stdout == ""


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "1e999", "many"])
@pytest.mark.parametrize(
    ("verb", "option"),
    [
        ("extract", "--fps"), ("build", "--fps"), ("update", "--fps"), ("floor", "--radius"), ("floor", "--max-snap"),
        ("floor", "--resolution"), ("floor", "--distance"), ("split", "--val"), ("split", "--test"),
        ("simulate", "--seed"), ("view", "--port"), ("map", "--max-keyframes"),
    ],
)  # fmt: skip
def test_a_number_that_is_none_or_out_of_bounds_is_wrong_usage(verb, option, value, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb, "somewhere", option, value])
    assert ended.value.code == 2
    assert option.lstrip("-") in capsys.readouterr().err.replace("_", "-")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["benchmark", "SCENE", "--query", "a", "--query=b", "--reference", "c"], r"--query is given .* \(a, b\)"),
        (
            ["build", "a", "b", "--scene", "S", "--reference", "c", "--reference", "d"],
            r"--reference is given .*\(c, d\)",
        ),
        (["train", "S", "--model", "mapnet+", "--unlabelled", "a", "--unlabelled", "b"], "--unlabelled is given twice"),
    ],
)
def test_an_input_that_is_given_twice_is_refused_where_one_is_taken(words, said, capsys):
    with pytest.raises(SystemExit) as end:
        sys.exit(main(words))
    assert end.value.code == 2
    assert re.search(said, capsys.readouterr().err)


def test_the_topics_of_a_rig_are_given_one_by_one(tmp_path, capsys):
    words = ["extract", str(tmp_path / "no.bag"), "--scene", str(tmp_path / "scene"), "--topic", "/a", "--topic", "/b"]
    assert main(words) == 1
    assert "no such file" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["map", "align", "split", "benchmark"])
def test_a_missing_scene_is_one_line_and_exit_1(verb, tmp_path):
    extra = ["--points", "x.csv"] if verb == "align" else []
    shown = campose(verb, str(tmp_path / "nowhere"), *extra)
    assert shown.returncode == 1
    assert len(shown.stderr.strip().splitlines()) == 1
    assert "nowhere" in shown.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_options_of_several_words_have_dashes_and_results_are_machine_readable(verb):
    shown = campose(verb, "--help").stdout
    options = set(re.findall(r"--[a-z][\w.-]+", shown)) - {"--print_config"}  # jsonargparse's own
    assert not [option for option in options if "_" in option]
    assert verb == "view" or "--json" in options  # which prints nothing
