"""YAML as every such file is read here: bounded, without aliases, and with one kind of error.

An alias makes ten lines stand for billions of values, nesting is recursion in every reader, and PyYAML raises what
Python raises on numbers and dates that are none. No file of campose, Nav2 or a bag needs an alias, or a date.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import yaml

from campose_core.errors import CamposeError
from campose_core.files import read_bytes

MAX_BYTES = 4 << 20
MAX_DEPTH = 32
MAX_VALUES = 250_000  # and keys: some 100 MB while they are read
MAX_DIGITS = 64  # of a number; Python's own bound on those of an integer came with 3.11
# What PyYAML raises beside its own errors, on values whose tag they do not fit: `!!bool maybe`, `!!int ""`.
DAMAGE = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, OverflowError)
STARTS, ENDS = (yaml.SequenceStartEvent, yaml.MappingStartEvent), (yaml.SequenceEndEvent, yaml.MappingEndEvent)
# libyaml's, where PyYAML was built with it: several times as fast.
PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(PARSER):
    """Reads what looks like a date as text, and no number that is longer than any means."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in PARSER.yaml_implicit_resolvers.items()
    }

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        return int(super().construct_yaml_int(_short(node)))

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        return float(super().construct_yaml_float(_short(node)))


class _Dumper(yaml.SafeDumper):
    """Writes a value that stands in two places twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# Numbers that an option's type has bounded are of a class of their own.
_Dumper.add_multi_representer(int, lambda dumper, number: dumper.represent_int(int(number)))
_Dumper.add_multi_representer(float, lambda dumper, number: dumper.represent_float(float(number)))


def _opencv(loader: Any, suffix: str, node: yaml.Node) -> Any:
    """Build what OpenCV tags as a matrix: a mapping, or a list."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True)


_Loader.add_multi_constructor("tag:yaml.org,2002:opencv-", _opencv)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


def read_yaml(path: Path, error: type[CamposeError]) -> Any:
    """Read a YAML file (JSON is YAML): mappings, lists, text, numbers, None.

    Raises:
        error: missing, no YAML, larger or more deeply nested than any file that is meant to be read, or with aliases;
            the message names file and place.
    """
    try:
        data = read_bytes(path, error, MAX_BYTES)
    except OSError as fault:
        raise error(f"{path}: cannot be read: {fault.strerror}") from fault
    return parse_yaml(data, str(path), error)


def yaml_text(value: Any, flow: bool | None = False) -> str:
    """Write what `read_yaml` reads back, keys in their order. flow: None writes the innermost lists in one line."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=flow)


def parse_yaml(data: bytes, where: str, error: type[CamposeError]) -> Any:
    """Read YAML out of the bytes of a file. where: what messages call it.

    Raises:
        error: as `read_yaml`.
    """
    if len(data) > MAX_BYTES:
        raise error(f"{where}: cannot be read: it has more than {MAX_BYTES >> 20} MB, as no file of its kind")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise error(f"{where} is damaged: it is not yaml: byte {fault.start} is not UTF-8") from fault
    try:
        _check_bounds(text, where, error)
        return yaml.load(text, Loader=_Loader)
    except DAMAGE as fault:
        mark = getattr(fault, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ": a value does not fit its tag"
        raise error(f"{where} is damaged: it is not yaml{place}") from fault


def _check_bounds(text: str, where: str, error: type[CamposeError]) -> None:
    """Look at the events of the parser, which build nothing yet."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=PARSER)):
        line = f"{where}: line {event.start_mark.line + 1}" if event.start_mark else where
        if isinstance(event, yaml.AliasEvent):
            raise error(f"{line}: the alias *{event.anchor} is not followed: write its value out")
        depth += isinstance(event, STARTS) - isinstance(event, ENDS)
        if depth > MAX_DEPTH:
            raise error(f"{line}: nested more than {MAX_DEPTH} deep, as no file of its kind")
        if count > MAX_VALUES:
            raise error(f"{line}: more than {MAX_VALUES} values, as no file of its kind")


def _short(node: yaml.ScalarNode) -> yaml.ScalarNode:
    if len(node.value) > MAX_DIGITS:
        raise yaml.constructor.ConstructorError(None, None, "a number of too many digits", node.start_mark)
    return node
