"""Every command in the README and in docs/ is run, on rendered recordings with the names that the pages use."""

import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from package_files import launch_arguments

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CAMPOSE = [sys.executable, "-m", "campose_core.cli.main"]


def commands(page: Path) -> list[str]:
    """Lines of the page's shell blocks, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), flags=re.DOTALL)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.slow
def test_the_readme_from_top_to_bottom(small_world, tmp_path):
    for name, source in {
        "mapping.mp4": "mapping.mp4", "mapping.tum": "mapping.tum", "query.mp4": "later.mp4", "query.tum": "later.tum",
        "config": ROOT / "config",
    }.items():  # fmt: skip
        (tmp_path / name).symlink_to(small_world / source)
    verbs = []
    for command in commands(ROOT / "README.md"):
        program, *arguments = command.split()
        if program != "campose":
            continue
        verbs.append(arguments[0])
        if arguments[0] == "view":
            look_and_leave([*CAMPOSE, *arguments, "--port", "0"], tmp_path)
            continue
        done = subprocess.run([*CAMPOSE, *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert set(verbs) == {"build", "doctor", "localize", "evaluate", "view", "replay", "benchmark", "split", "train"}


def look_and_leave(command: list[str], folder: Path) -> None:
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as viewer:
        assert viewer.stdout is not None
        lines = []
        for line in viewer.stdout:
            lines.append(line)
            if "ws://127.0.0.1:" in line:
                break
        else:
            raise AssertionError("".join(lines))
        time.sleep(0.2)
        viewer.send_signal(signal.SIGINT)
        assert viewer.wait(20) == 0


def test_make_targets_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    used = {command.split()[1] for page in PAGES for command in commands(page) if command.startswith("make ")}
    assert used
    assert used <= targets


def test_launch_commands_name_files_and_arguments_that_exist():
    # shlex, since a value may be a list in quotes; the cameras of recipes are launched by packages of their own.
    launched = [shlex.split(c) for page in PAGES for c in commands(page) if c.startswith("ros2 launch campose_ros")]
    assert len(launched) >= 10
    for _, _, _, file, *arguments in launched:
        assert {argument.split(":=")[0] for argument in arguments} <= launch_arguments(file)


def test_node_commands_name_executables_and_parameters_that_exist():
    parameters = pytest.importorskip("campose_ros.parameters").TABLE
    for command in (c for page in PAGES for c in commands(page)):
        program = command.split()[0]
        if program.startswith("campose_"):
            assert (ROOT / "libexec" / program).is_file()
            given = set(re.findall(r" -p (\w+):=", command))
            known = (
                parameters if program != "campose_viewer" else pytest.importorskip("campose_ros.viewer_node").PARAMETERS
            )
            assert given <= set(known)


def test_extras_that_pages_install_exist():
    setup = (ROOT / "setup.py").read_text()
    for page in PAGES:
        for extras in re.findall(r"pip install '[^'\[]*\[([\w,]+)\]'", page.read_text()):
            assert all(f'"{extra}"' in setup for extra in extras.split(","))
