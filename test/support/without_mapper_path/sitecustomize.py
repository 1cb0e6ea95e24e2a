"""On PYTHONPATH: a Python in which what maps and trains cannot be imported, as on a robot."""

import sys

for name in ("pycolmap", "torch", "torchvision", "pytorch_lightning", "tensorboard", "safetensors", "triton"):
    sys.modules[name] = None  # type: ignore[assignment]  # `import NAME` raises ModuleNotFoundError
