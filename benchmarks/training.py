"""Training throughput beside a plain PyTorch loop over JPEG files, in one run on one machine.

    python -m benchmarks.training --scene SCENE

The plain loop opens each JPEG of the train split with Pillow, resizes it to 224, and trains a torchvision ResNet-18
with L1 on position and quaternion, Adam and default everything. campose fine-tunes the same network on the same frames
(`--frozen false --views 0`): all of it as the plain loop does, and as it would by itself, the early layers kept. And it
trains its default head on the frozen network. The weights are random, from a file: they cost the same.
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
import torch
import torchvision

from campose_core.cli.console import show_log
from campose_core.scene.scene import Scene

SIZE, BATCH = 224, 16
EPOCHS = 3
FROZEN_EPOCHS = 300


def plain_loop(scene_path: Path) -> float:
    """Frames a second of the plain loop, the first epoch left out."""
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


def campose_train(scene_path: Path, weights: Path, *told: object) -> float:
    """Frames a second of `campose train`: of the epochs after the first; of a frozen network all, features included."""
    frozen = not told
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "scene"
        shutil.copytree(scene_path, copy, ignore=shutil.ignore_patterns("models", "cache", "reports"))
        command = [sys.executable, "-m", "campose_core.cli.main", "train", str(copy), "--model", "posenet",
                   "--backbone", "resnet18", "--weights", str(weights), "--batch-size", str(BATCH)]  # fmt: skip
        command += ["--epochs", str(FROZEN_EPOCHS)] if frozen else [
            "--epochs", str(EPOCHS), "--frozen", "false", "--views", "0", "--linear-layers", "1", "--anchors", "1",
            *map(str, told),
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


def plain_process(scene_path: Path) -> float:
    """The plain loop in a process of its own."""
    own = [sys.executable, "-m", "benchmarks.training", "--scene", str(scene_path), "--only", "plain"]
    return float(subprocess.run(own, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", type=Path, required=True, help="a scene with a train split")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["plain"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only == "plain":
        print(plain_loop(options.scene))
        return
    names = ["plain loop, ResNet-18", "campose, all trained", "campose, fine-tuned", "campose, frozen"]
    rows: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "resnet18.pt"
        torch.save(torchvision.models.resnet18(weights=None).state_dict(), weights)
        for _ in range(options.rounds):
            measured = [
                plain_process(options.scene),
                campose_train(options.scene, weights, "--kept-stride", 0),
                campose_train(options.scene, weights, "--kept-stride", 4),
                campose_train(options.scene, weights),
            ]
            for name, rate in zip(names, measured, strict=True):
                rows[name].append(rate)
    plain = float(np.median(rows["plain loop, ResNet-18"]))
    for name, rates in rows.items():
        print(f"{name:24} {np.median(rates):8.1f} frames/s   {np.median(rates) / plain:6.2f} x")


if __name__ == "__main__":
    show_log()
    main()
