"""pytorch-lightning's Trainer as campose wants it: quiet, resumable, deterministic on a CPU."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, RichProgressBar, Timer

from campose_core.floor import FloorMap
from campose_core.floorplan.scene_floor import why_not_snapped
from campose_core.learning.callbacks import Record, SaveState, WholeFiles
from campose_core.learning.module import PoseTraining
from campose_core.learning.options import TrainOptions
from campose_core.scene.scene import Scene

log = logging.getLogger(__name__)


def fit(training: PoseTraining, name: str, state_path: Path, digest: str, scene: Scene) -> tuple[Record, bool]:
    """Run all epochs that are left; returns the record, and whether this process is the one that writes the model.

    digest: of all that a run must have in common with the one it goes on with. scene: where TensorBoard's files go.

    Raises:
        LearningError: a loss or a prediction that is no number. OSError: the state cannot be written.
        KeyboardInterrupt: somebody pressed Ctrl-C; what was saved stays.
    """
    options, record = training.options, Record(name)
    callbacks: list[Callback] = [record, SaveState(state_path, digest)]
    if options.patience:
        callbacks.append(EarlyStopping("val_score", patience=options.patience, mode="min"))
    if options.max_minutes is not None:
        callbacks.append(Timer(timedelta(minutes=options.max_minutes), interval="epoch", verbose=False))
    show_bar = sys.stderr.isatty()
    if show_bar:
        callbacks.append(RichProgressBar(leave=False, console_kwargs={"stderr": True}))
    logger: Any = False
    if options.tensorboard:
        from campose_core.learning.tensorboard import Pictures, tensorboard_logger

        logger = tensorboard_logger(scene.reports_dir / "tensorboard", name)
        drawn = scene.floor_yaml.is_file() and not why_not_snapped(scene)
        callbacks.append(Pictures(FloorMap.load(scene.floor_yaml) if drawn else None))
    _hush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about workers, batch sizes and loggers: what campose has chosen on purpose
        trainer = pl.Trainer(
            max_epochs=options.epochs,
            precision=options.precision,
            accelerator="auto",
            **_processes(options),
            callbacks=callbacks,
            plugins=[WholeFiles()],
            logger=logger,
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            enable_checkpointing=True,
            enable_progress_bar=show_bar,
            enable_model_summary=False,
            use_distributed_sampler=False,
            default_root_dir=str(state_path.parent),
        )
        resumed = state_path if _can_go_on(state_path, digest) else None
        ends = signal.getsignal(signal.SIGINT)
        try:
            trainer.fit(training, ckpt_path=resumed)
        except SystemExit as exit:
            if not trainer.interrupted:
                raise
            # Lightning takes Ctrl-C for itself: it ends the process without a word, and ignores the next ones.
            signal.signal(signal.SIGINT, ends)
            if state_path.is_file():
                log.info(f"{name}: the same command goes on where it was")
            raise KeyboardInterrupt from exit
    return record, trainer.is_global_zero


def _processes(options: TrainOptions) -> dict[str, Any]:
    """Under torchrun as many as it has started, on as many machines; else `devices` on this one."""
    if torch.distributed.is_torchelastic_launched():
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        return {"devices": here, "num_nodes": int(os.environ["WORLD_SIZE"]) // here, "strategy": "ddp"}
    return {"devices": options.devices, "strategy": "ddp" if options.devices > 1 else "auto"}


def _can_go_on(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, EOFError, KeyError, ValueError, RuntimeError, pickle.UnpicklingError):
        log.info(f"{path}: the state of an earlier run is damaged: training from the start")
        return False
    if not isinstance(state, dict) or state.get("campose_digest") != digest:
        log.info(f"{path}: an earlier run had other frames or options: training from the start")
        return False
    return True


def _hush() -> None:
    """Lightning tells what hardware there is, and gives advice; here that would be noise between the lines."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
