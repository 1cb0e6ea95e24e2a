"""Training throughput beside a plain PyTorch loop over JPEG files, in one run on one machine.

    python -m benchmarks.training --scene SCENE

The plain loop opens each JPEG of the train split with Pillow, resizes it to 224, and trains a torchvision ResNet-18
with L1 on position and quaternion, Adam and default everything. campose fine-tunes the same network on the same frames
(`--frozen false --views 0`), and trains its default head on the frozen network. Random weights: they cost the same.
Frames a second, medians of alternating rounds; those of the frozen network include computing the features.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from campose_core.scene import Scene

SIZE, BATCH = 224, 16
EPOCHS = 3
FROZEN_EPOCHS = 300


def plain_loop(scene_path: Path) -> float:
    """Frames a second of the plain loop, the first epoch left out."""
    import torch
    import torchvision
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    scene = Scene.open(scene_path)
    frames = scene.posed_frames("train")
    prepare = transforms.Compose(
        [
            transforms.Resize((SIZE, SIZE)),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )

    class Files(Dataset):
        def __len__(self) -> int:
            return len(frames)

        def __getitem__(self, index: int):
            frame = frames[index]
            pose = np.concatenate([frame.map_from_cam.translation, frame.map_from_cam.quat_xyzw])
            picture = prepare(Image.open(scene.frame_path(frame)).convert("RGB"))
            return picture, torch.tensor(pose, dtype=torch.float32)

    network = torchvision.models.resnet18(weights=None)
    network.fc = torch.nn.Linear(512, 7)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    loader = DataLoader(Files(), batch_size=BATCH, shuffle=True)
    started = 0.0
    for epoch in range(EPOCHS):
        if epoch == 1:
            started = time.perf_counter()
        for pictures, poses in loader:
            loss = (network(pictures) - poses).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return (EPOCHS - 1) * len(frames) / (time.perf_counter() - started)


def campose_train(scene_path: Path, frozen: bool) -> float:
    """Frames a second of `campose train`: of the epochs after the first; of a frozen network all, features included."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "scene"
        shutil.copytree(scene_path, copy, ignore=shutil.ignore_patterns("models", "cache", "reports"))
        command = [sys.executable, "-m", "campose_core.cli.main", "train", str(copy), "--model", "posenet",
                   "--backbone", "resnet18", "--weights", "random", "--batch-size", str(BATCH)]  # fmt: skip
        command += ["--epochs", str(FROZEN_EPOCHS)] if frozen else [
            "--epochs", str(EPOCHS), "--frozen", "false", "--views", "0", "--linear-layers", "1", "--anchors", "1",
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
        frames = len(Scene.open(copy).posed_frames("train"))
        with open(copy / "models" / "posenet" / "metrics.csv") as file:
            seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
        description = (copy / "models" / "posenet" / "model.yaml").read_text()
    if frozen:
        import yaml

        return FROZEN_EPOCHS * frames / float(yaml.safe_load(description)["metrics"]["total_seconds"])
    return (EPOCHS - 1) * frames / (seconds[-1] - seconds[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", type=Path, required=True, help="a scene with a train split")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["plain"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only == "plain":
        print(plain_loop(options.scene))
        return
    rows: dict[str, list[float]] = {"plain loop, ResNet-18": [], "campose, fine-tuned": [], "campose, frozen": []}
    for _ in range(options.rounds):
        own = [sys.executable, "-m", "benchmarks.training", "--scene", str(options.scene), "--only", "plain"]
        printed = subprocess.run(own, check=True, capture_output=True, text=True).stdout
        rows["plain loop, ResNet-18"].append(float(printed.split()[-1]))
        rows["campose, fine-tuned"].append(campose_train(options.scene, frozen=False))
        rows["campose, frozen"].append(campose_train(options.scene, frozen=True))
    plain = float(np.median(rows["plain loop, ResNet-18"]))
    for name, rates in rows.items():
        print(f"{name:24} {np.median(rates):8.1f} frames/s   {np.median(rates) / plain:6.2f} x")


if __name__ == "__main__":
    main()
