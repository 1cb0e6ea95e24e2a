"""What `from campose_core import ...` offers."""

import subprocess
import sys
from importlib import import_module

import pytest

import campose_core


def test_every_public_name_is_the_class_of_its_module():
    for name in campose_core.__all__:
        found = getattr(campose_core, name)
        assert found is getattr(import_module(found.__module__), name)
        assert name in dir(campose_core)


def test_the_package_alone_imports_nothing():
    code = "import campose_core, sys; print([name for name in sys.modules if name.startswith(('numpy', 'campose_'))])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "['campose_core']"


def test_an_unknown_name_is_told_the_known():
    with pytest.raises(ImportError, match="cannot import name 'Scenes'"):
        from campose_core import Scenes  # noqa: F401
    with pytest.raises(AttributeError, match=r"it offers Camera, .*, Trajectory"):
        _ = campose_core.Scenes
