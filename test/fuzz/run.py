"""A long run over one target, or over all, each in a process of its own: `python test/fuzz/run.py [TARGET ...]`.

atheris changes the kept inputs by what they reach in the code (coverage), and stops at the first finding, which it
leaves in the folder --findings, and beside it a log that holds the traceback. The same folder keeps the inputs that
reached something new, and how many were tried so far: the next run goes on from there, up to what is wanted, with the
least that is missing first. Prints for each target how many were tried in this run, and in all. `make fuzz` runs all.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

TEXTS, DECODED = 1_000_000, 50_000  # executions
TIMEOUT_S, MEMORY_MB = 30, 4096  # of one execution: seconds of the processor, for a busy machine is no finding
BLOCKED_S = 600  # by the clock: it waits for something, or loops in C
LONGEST = {False: 4096, True: 65536}  # bytes of text, and of what decodes


def fuzz(name: str, executions: int, seconds: int, findings: Path) -> None:
    """Run one target in this process, which libFuzzer ends."""
    import atheris

    # The tables of message types of rosbags are no code of a reader, and take ten seconds; of numpy it is all or none.
    read = ["campose_core", "yaml", "rosbags", "csv", "zipfile"]
    with atheris.instrument_imports(include=read, exclude=["rosbags.typesystem.stores"]):
        from targets import CORPUS, MEMORY, TARGETS, attempt

    corpus = findings / f"{name}-corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={executions}", f"-max_total_time={seconds}", f"-timeout={BLOCKED_S}", f"-rss_limit_mb={MEMORY_MB}",
        f"-max_len={LONGEST[TARGETS[name].decodes]}", f"-artifact_prefix={findings}/{name}-", "-print_final_stats=1",
        f"-report_slow_units={BLOCKED_S}",
    ]  # fmt: skip

    tempfile.tempdir = None if MEMORY is None else str(MEMORY)  # of what readers unpack

    def too_long(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"took more than {TIMEOUT_S} s of the processor")

    def execute(data: bytes) -> None:
        if not faulthandler.is_enabled():
            # Before libFuzzer's own handlers, which stand by now: they tell of a crash or a hang without Python's part.
            faulthandler.enable()
            faulthandler.register(signal.SIGALRM, chain=True)
            signal.signal(signal.SIGPROF, too_long)
        signal.setitimer(signal.ITIMER_PROF, TIMEOUT_S)
        attempt(name, data)

    atheris.Setup([sys.argv[0], *options, str(corpus), str(CORPUS / name)], execute)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="names in targets.py (default: all)")
    parser.add_argument("--executions", type=int, help="of each, in this run (default: what it lacks)")
    parser.add_argument("--seconds", type=int, default=3600, help="of each, at most")
    parser.add_argument("--findings", type=Path, default=Path("fuzz_findings"))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        fuzz(options.targets[0], options.executions, options.seconds, options.findings)
    from targets import TARGETS

    from campose_core.files import write_text

    options.findings.mkdir(parents=True, exist_ok=True)
    ledger = options.findings / "executions.json"
    tried = json.loads(ledger.read_text()) if ledger.exists() else {}
    names = options.targets or list(TARGETS)
    missing = {name: (DECODED if TARGETS[name].decodes else TEXTS) - tried.get(name, 0) for name in names}
    failed = 0
    for name in sorted(names, key=missing.__getitem__):
        executions = options.executions or missing[name]
        if executions <= 0:
            print(f"{name:16} {tried[name]:>9} executions before this run", flush=True)
            continue
        command = [sys.executable, __file__, name, "--here", "--findings", str(options.findings)]
        command += ["--executions", str(executions), "--seconds", str(options.seconds)]
        log = options.findings / f"{name}.log"
        with open(log, "wb") as file:
            code = subprocess.run(command, stdout=file, stderr=file).returncode
        text = log.read_text(errors="replace")
        done = re.findall(r"stat::number_of_executed_units:\s*(\d+)|^Done (\d+)", text, re.M)
        count = max((int(a or b) for a, b in done), default=0)
        tried[name] = tried.get(name, 0) + count
        write_text(ledger, json.dumps(tried, indent=1) + "\n")
        if finding := re.search(r"Test unit written to (.+)", text):
            log = log.rename(f"{finding[1]}.log")
        verdict = "nothing found" if code == 0 else f"FINDING, see {log}"
        print(f"{name:16} {count:>9} executions, {tried[name]:>9} in all, {verdict}", flush=True)
        failed += code != 0
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
