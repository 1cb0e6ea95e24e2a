"""campose: where is the camera on the floor plan, and when is it lost.

Importing this package costs numpy and scipy only. Everything heavier (torch, pycolmap, PyAV, rosbags,
foxglove-sdk, pyvista) is imported by the function that needs it, see `campose_core.extras`.
"""

__version__ = "0.1.0"
