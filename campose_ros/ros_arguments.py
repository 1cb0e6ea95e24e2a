"""The command line of a node, read before ROS does: what is wrong is told in one line, with what to write instead.

    campose_localizer --ros-args -p scene:=SCENE --params-file FILE -r image:=/camera/image_raw

Importing this file needs no ROS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from campose_core.errors import UsageError
from campose_core.files import read_bytes
from campose_core.yaml_files import DAMAGE, parse_yaml

PARAMETER, FILE = ("-p", "--param"), "--params-file"


def wants_help(arguments: Sequence[str]) -> bool:
    """Tell whether --help or -h stands before --ros-args. arguments: without the name of the program."""
    own = list(arguments)
    return not {"-h", "--help"}.isdisjoint(own[: own.index("--ros-args")] if "--ros-args" in own else own)


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse what ROS would refuse in the words of its C code, or pass over. arguments: without the program's name.

    Raises:
        UsageError: a word outside --ros-args, a parameter that is not NAME:=VALUE, a value or a parameter file that is
            no YAML, or a list of numbers of two kinds.
    """
    own, inside = [], False
    words = iter(arguments)
    for word in words:
        if word == "--ros-args":
            inside = True
        elif word == "--" and inside:
            inside = False
        elif not inside:
            own.append(word)
        elif word in PARAMETER:
            _check_parameter(next(words, ""))
        elif word == FILE:
            _check_file(next(words, ""))
    if own:
        raise UsageError(f"{own[0]!r} is no option: parameters are given as --ros-args -p NAME:=VALUE, see --help")


def _check_parameter(rule: str) -> None:
    name, assigned, value = rule.partition(":=")
    if not (name and assigned and value):
        raise UsageError(f"a parameter is given as -p NAME:=VALUE, got -p {rule!r}")
    try:
        content = parse_yaml(value.encode("utf-8", "surrogateescape"), f"the value of {name}", UsageError)
    except UsageError as error:
        if not isinstance(error.__cause__, DAMAGE):
            raise
        raise UsageError(f"the value of {name} is no YAML: {value!r}") from error
    _check_lists(f"-p {rule!r}", name, content)


def _check_file(path: str) -> None:
    where = f"the parameter file {path}"
    try:
        data = read_bytes(Path(path), UsageError)
        data.decode("utf-8")
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        reason = "there is no such file" if missing else "it cannot be read as text"
        if missing and path.startswith("~"):
            reason += ": a shell writes ~ out only where a word begins with it, give the whole path"
        raise UsageError(f"the parameter file {path!r}: {reason}") from error
    try:
        content = parse_yaml(data, where, UsageError)
    except UsageError as error:
        if not isinstance(error.__cause__, DAMAGE):
            raise
        mark = getattr(error.__cause__, "problem_mark", None)
        line = "" if mark is None else f", line {mark.line + 1}"
        raise UsageError(f"{where}{line}: it is no YAML ({getattr(error.__cause__, 'problem', '')})") from error
    sections = [section for _, section in _sections(content)]
    if not sections:
        raise UsageError(
            f"the parameter file {path} has no NODE: ros__parameters: section, as in config/localizer.yaml"
        )
    for section in sections:
        if not isinstance(section, dict):
            raise UsageError(f"the parameter file {path}: ros__parameters must hold NAME: VALUE lines, got {section!r}")
        for name, value in section.items():
            _check_lists(f"the parameter file {path}", str(name), value)


def _sections(content: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what stands under each ros__parameters, and whose it is: the names that lead to it, joined by slashes."""
    for key, inside in content.items() if isinstance(content, dict) else ():
        if key == "ros__parameters":
            yield above, inside
        else:
            yield from _sections(inside, f"{above}/{str(key).strip('/')}")


def unheard_files(arguments: Sequence[str], node: str) -> list[str]:
    """Tell of each parameter file that has no section for a node, which ROS passes over in silence.

    arguments: of the command line, which `check_arguments` found right. node: its full name.
    """
    told = []
    for word, path in pairwise(arguments):
        if word != FILE:
            continue
        names = [name for name, _ in _sections(parse_yaml(read_bytes(Path(path), UsageError), path, UsageError))]
        if not any(_means(name, node) for name in names):
            told.append(
                f"nothing of the parameter file {path} is used: its sections are of {', '.join(names)}, and this node "
                f"is {node}: name one so, or /**"
            )
    return told


def _means(section: str, node: str) -> bool:
    """Whether the name of a section is that of the node; * stands for one name, ** for any number of them."""
    wild = {"**": "(/[^/]+)*", "*": "/[^/]+"}
    pattern = "".join(wild.get(part, "/" + re.escape(part)) for part in section.split("/") if part)
    return re.fullmatch(pattern, node) is not None


def _check_lists(where: str, name: str, value: Any) -> None:
    if isinstance(value, dict):
        for key, inside in value.items():
            _check_lists(where, f"{name}.{key}", inside)
    elif isinstance(value, list) and len({type(item) for item in value}) > 1:
        raise UsageError(f"{where}: {name} must be a list of one type, with all numbers written with a point or none")
