"""Late import of optional packages, with an error that names the pip line."""

import importlib
from types import ModuleType

from campose_core.errors import MissingDependency


def load_extra(module: str, extra: str) -> ModuleType:
    """Import `module`, which the extra `extra` of this package installs.

    Raises:
        MissingDependency: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingDependency(f"{module} is not installed: pip install 'campose_ros[{extra}]'") from error
