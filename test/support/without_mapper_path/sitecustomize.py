"""On PYTHONPATH: a Python in which what maps and trains cannot be imported, as on a robot."""

import sys
from importlib.abc import MetaPathFinder
from typing import Any

MISSING = {"pycolmap", "torch", "torchvision", "pytorch_lightning", "tensorboard", "safetensors", "triton"}


class Missing(MetaPathFinder):
    """Stands before all finders. None in sys.modules would do for `import`, but SciPy looks there for torch."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname.split(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


sys.meta_path.insert(0, Missing())
