"""A long run over one target, or over all, each in a process of its own: `python test/fuzz/run.py [TARGET ...]`.

atheris changes the kept inputs by what they reach in the code (coverage), and stops at the first finding, which it
leaves in the folder --findings. Prints for each target how many inputs were tried. `make fuzz` runs all of them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

TEXTS, DECODED = 1_000_000, 50_000  # executions
TIMEOUT_S, MEMORY_MB = 30, 4096  # of one execution


def fuzz(name: str, executions: int, seconds: int, findings: Path) -> None:
    """Run one target in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["campose_core", "yaml", "rosbags", "csv", "numpy.lib.format"]):
        from targets import CORPUS, attempt

    corpus = findings / f"{name}-corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={executions}", f"-max_total_time={seconds}", f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={MEMORY_MB}",
        "-max_len=65536", f"-artifact_prefix={findings}/{name}-", "-print_final_stats=1", "-close_fd_mask=1",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus), str(CORPUS / name)], lambda data: attempt(name, data) and None)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="names in targets.py (default: all)")
    parser.add_argument("--executions", type=int, help="of each (default: a million, 50,000 of what decodes)")
    parser.add_argument("--seconds", type=int, default=3600, help="of each, at most")
    parser.add_argument("--findings", type=Path, default=Path("fuzz_findings"))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        fuzz(options.targets[0], options.executions, options.seconds, options.findings)
    from targets import TARGETS

    failed = 0
    for name in options.targets or TARGETS:
        executions = options.executions or (DECODED if TARGETS[name].decodes else TEXTS)
        options.findings.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, __file__, name, "--here", "--findings", str(options.findings)]
        command += ["--executions", str(executions), "--seconds", str(options.seconds)]
        log = options.findings / f"{name}.log"
        with open(log, "wb") as file:
            code = subprocess.run(command, stderr=file, stdout=subprocess.DEVNULL).returncode
        done = re.findall(r"stat::number_of_executed_units:\s*(\d+)|^Done (\d+)", log.read_text(errors="replace"), re.M)
        count = max((int(a or b) for a, b in done), default=0)
        print(f"{name:16} {count:>9} executions, {'nothing found' if code == 0 else f'FINDING, see {log}'}", flush=True)
        failed += code != 0
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
