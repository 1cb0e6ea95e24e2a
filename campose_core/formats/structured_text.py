"""YAML, OpenCV's YAML and XML, and JSON as one thing: mappings, lists, text and numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from campose_core.errors import GeometryError
from campose_core.yaml_files import parse_yaml


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
    plain = re.sub(r"\A(\s*)%YAML[^\n]*", r"\1", text).replace("\t", " ")
    plain = re.sub(r"^(\s*[\w.]+):(?=\[)", r"\1: ", plain, flags=re.MULTILINE)  # it reads lists without the blank too
    documents = [part for part in re.split(r"^---\s*$", plain, flags=re.MULTILINE) if part.strip()]
    first = plain[: plain.index(documents[0])].count("\n") * "\n" + documents[0] if documents else ""
    return parse_yaml(first.encode(), str(path), GeometryError)


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
