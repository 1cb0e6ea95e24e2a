"""YAML, OpenCV's YAML and XML, and JSON as one thing: mappings, lists, text and numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from campose_core.errors import GeometryError
from campose_core.files import yaml_place

OPENCV_TAG = "tag:yaml.org,2002:opencv-"


class _Loader(yaml.SafeLoader):
    """Knows OpenCV's tags, of which each is a mapping, and follows no aliases: ten lines could stand for billions."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "an alias", self.peek_event().start_mark)
        return super().compose_node(parent, index)


def _opencv(loader: _Loader, suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True)


_Loader.add_multi_constructor(OPENCV_TAG, _opencv)


def parse(path: Path, text: str) -> Any:
    """Return what a text holds: its first document that is not empty.

    Raises:
        GeometryError: it is none of these; the place is named.
    """
    begin = text.lstrip()
    if begin.startswith(("<?xml", "<opencv_storage")):
        return _parse_xml(path, text)
    if begin.startswith("{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass  # YAML's braces need no quotes
    # OpenCV writes `%YAML:1.0`, which the standard writes with a blank, and tabs as other blanks.
    plain = re.sub(r"\A\s*%YAML[^\n]*\n(\s*---)?", "", text).replace("\t", " ")
    try:
        return next((found for found in yaml.load_all(plain, Loader=_Loader) if found is not None), None)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise GeometryError(f"{path}: no camera can be read: it is not YAML{yaml_place(error)}") from error


def _parse_xml(path: Path, text: str) -> dict[str, Any]:
    """OpenCV's XML: an element for each key, matrices with the elements rows, cols and data."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise GeometryError(f"{path}: no camera can be read: XML with definitions of its own is not followed")
    try:
        root = ElementTree.fromstring(text.encode())
    except ElementTree.ParseError as error:
        line, column = error.position
        raise GeometryError(
            f"{path}: no camera can be read: it is not XML at line {line}, column {column + 1}"
        ) from error
    return {child.tag: _element(child) for child in root}


def _element(element: ElementTree.Element) -> Any:
    if len(element):
        fields = {child.tag: _element(child) for child in element}
        if isinstance(fields.get("data"), str):
            fields["data"] = fields["data"].split()
        return fields
    text = (element.text or "").strip().strip('"')
    return text.split() if re.fullmatch(r"[-+.\deE\s]+\s[-+.\deE]+", text) else text
