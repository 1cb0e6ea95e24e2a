"""The files of deploy/: they parse, and name arguments, extras, files and images that exist."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from package_files import launch_arguments, setup_arguments

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
# https://docs.docker.com/reference/dockerfile
INSTRUCTIONS = {
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "ONBUILD", "RUN",
    "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    """(instruction, the rest of its lines) of the Dockerfile, without comments."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines() if line.strip()]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def services() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DEPLOY / "campose.service")
    return parser


def manifest() -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    return tomllib.loads((DEPLOY / "pixi.toml").read_text())


def launch_lines() -> list[str]:
    """Every `ros2 launch campose_ros ...` of these files."""
    found = [
        line for path in DEPLOY.iterdir() for line in re.findall(r"ros2 launch campose_ros [^'\"\n]*", _flat(path))
    ]
    assert len(found) == 6
    return found


def _flat(path: Path) -> str:
    """Text of a file in which a launch line stands on one line."""
    if path.name == "compose.yaml":
        return "\n".join(service["command"] for service in services().values())
    text = path.read_text()
    return re.sub(r'\["ros2", .*\]', lambda found: " ".join(re.findall('"([^"]*)"', found[0])), text)


def test_every_launch_line_names_a_file_and_arguments_that_exist() -> None:
    for line in launch_lines():
        _, _, _, file, *arguments = shlex.split(line)
        given = {argument.split(":=")[0] for argument in arguments if not argument.startswith("--")}
        assert given <= launch_arguments(file), line


def test_the_image_is_built_of_what_there_is() -> None:
    steps = instructions()
    assert {name for name, _ in steps} <= INSTRUCTIONS
    assert steps[0] == ("FROM", "ros:jazzy-ros-base")
    (install,) = [text for name, text in steps if name == "RUN" and "pip install" in text]
    (extra,) = re.findall(r"'/tmp/campose\[(\w+)\]'", install)
    assert extra in setup_arguments()["extras_require"]
    assert [text for name, text in steps if name == "COPY"] == [". /tmp/campose"]


def test_its_context_holds_all_that_setup_py_installs_and_nothing_that_is_not_there() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert all((ROOT / name).exists() for name in kept)
    setup = setup_arguments()
    needed = {Path(file).parts[0] for _, files in setup["data_files"] for file in files} | {"libexec", "setup.py"}
    assert needed | {package.split(".")[0] for package in setup["packages"]} <= kept
    assert "*" in lines


def test_each_container_reaches_the_shared_memory_of_the_drivers() -> None:
    for name, service in services().items():
        assert service.get("ipc") == "host" or "shm_size" in service, name
        assert service["network_mode"] == service["pid"] == "host"
        assert service["stop_signal"] == "SIGINT"
    assert (DEPLOY / services()["localizer"]["build"]["context"]).resolve() == ROOT
    assert (ROOT / services()["localizer"]["build"]["dockerfile"]).is_file()


def test_systemd_stops_the_launch_as_it_wants_to_be_stopped() -> None:
    service = unit()["Service"]
    assert (service["KillSignal"], service["KillMode"]) == ("SIGINT", "mixed")
    (executable, flag, script) = shlex.split(service["ExecStart"])
    assert (executable, flag) == ("/bin/bash", "-c")
    assert script.rpartition("&& ")[2].startswith("exec ros2 launch ")
    assert {"Unit", "Install"} <= set(unit())
    assert f" scene:={unit()['Unit']['RequiresMountsFor']} " in script
    if shutil.which("systemd-analyze"):
        command = ["systemd-analyze", "verify", str(DEPLOY / "campose.service")]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "campose.service" not in ran.stderr


def test_the_manifest_of_pixi_has_what_pixi_asks_for() -> None:
    """https://pixi.prefix.dev/latest/reference/pixi_manifest"""
    told = manifest()
    assert set(told) == {"workspace", "dependencies", "pypi-dependencies", "tasks"}
    assert told["workspace"]["name"]
    assert any("robostack-jazzy" in channel for channel in told["workspace"]["channels"])
    assert set(told["workspace"]["platforms"]) == {"linux-64", "linux-aarch64"}
    assert all(isinstance(version, str) for version in told["dependencies"].values())
    ours = told["pypi-dependencies"][setup_arguments()["name"]]
    assert (DEPLOY / ours["path"]).resolve() == ROOT
    assert set(ours["extras"]) <= set(setup_arguments()["extras_require"])
