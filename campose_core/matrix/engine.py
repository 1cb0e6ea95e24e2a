"""Who runs the jobs: the cores of this machine, or the workers of a Dask scheduler, which see the same folders."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from campose_core.errors import CamposeError, UsageError
from campose_core.extras import load_extra
from campose_core.matrix.job import ATTEMPTS, Ended, Job, run_job

Engine = Callable[[Sequence[Job]], Iterator[Ended]]
CONNECT_S = 10.0


def on_this_machine(workers: int) -> Engine:
    """Return what runs up to `workers` jobs at a time here, and yields each as it ends."""

    def run(jobs: Sequence[Job]) -> Iterator[Ended]:
        pool = ThreadPoolExecutor(workers)
        try:
            for future in as_completed([pool.submit(run_job, job) for job in jobs]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    return run


def on_scheduler(address: str) -> Engine:
    """Return what runs jobs on the workers of a Dask scheduler, and yields each as it ends.

    A job whose worker is killed goes to another one, at most ATTEMPTS times after those that Dask itself tries.

    Raises:
        MissingDependency: dask is not installed. UsageError: no scheduler answers there.
    """
    distributed = load_extra("distributed", "matrix")
    # Its tracebacks of lost connections: what they mean for the runs is said here, in a line.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)

    def run(jobs: Sequence[Job]) -> Iterator[Ended]:
        with _client(distributed, address) as client:
            attempts = dict.fromkeys(jobs, 1)
            waiting = {client.submit(run_job, job, key=_key(job, 1), pure=False): job for job in jobs}
            completed = distributed.as_completed(list(waiting), loop=client.loop)
            for future in completed:
                job = waiting.pop(future)
                if future.status == "finished":
                    yield future.result()
                    continue
                fault = future.exception() if future.status == "error" else None
                if not isinstance(fault, distributed.KilledWorker) or attempts[job] == ATTEMPTS:
                    yield Ended(job, _why(fault, address))
                    continue
                attempts[job] += 1
                again = client.submit(run_job, job, key=_key(job, attempts[job]), pure=False)
                waiting[again] = job
                completed.add(again)

    with _client(distributed, address):  # before anything is written
        return run


def _client(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--scheduler {address}: no scheduler answers there within {CONNECT_S:.0f} s: start one with "
            "`dask scheduler`, and `dask worker ADDRESS --nthreads 1` for each core"
        ) from error


def _key(job: Job, attempt: int) -> str:
    return f"{job.name}-{attempt}"


def _why(fault: BaseException | None, address: str) -> str:
    if fault is None:
        raise CamposeError(
            f"the scheduler at {address} is gone: what is finished is kept; run the same command with another one"
        )
    if isinstance(fault, ModuleNotFoundError):
        return f"a worker of {address} has no {fault.name}: install campose_ros there, the same version as here"
    words = str(fault).splitlines() or [type(fault).__name__]
    return f"a worker of {address} could not run it: {words[0][:300]}"
