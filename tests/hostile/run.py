"""Pickles that are broken or odd, by the thousand, loaded by both modules in worker processes:

    python tests/hostile/run.py --seed 0 --count 200000
    python tests/hostile/run.py --source grammar --seed 0 --count 50000

Ends with status 1 if the exception class, the result, the order of calls or the rest of the stream differs, or on a
crash, a hang or too much memory in the tested module; differing messages are counted, and count as failures with
--messages. Deliberate deviations are in deviations.py. `--case N` loads one case and says everything about it. What was
loaded before may matter to it, as what has been seen before is loaded in shorter ways: then `--start` somewhat before.
"""

import argparse
import collections
import json
import os
import pathlib
import queue
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = float(os.environ.get("HALFSOUR_PATIENCE", 60))  # seconds without progress before a load counts as hung
CHUNK = 20_000      # cases a worker, so that what one case leaves behind does not stay for ever


class Worker:
    """One worker process over some cases. `reports` is what it said, `ended` how: "done", "crash" or "hang"."""

    def __init__(self, source, seed, start, stop, *extra):
        with tempfile.NamedTemporaryFile() as progress:
            progress.write(b"\xff" * 16)
            progress.flush()
            process = subprocess.Popen(
                [sys.executable, str(HERE / "worker.py"), "--source", source, "--seed", str(seed),
                 "--start", str(start), "--stop", str(stop), "--progress", progress.name, *map(str, extra)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, PYTHONHASHSEED="0"))
            self.errors = []
            lines = queue.Queue()
            threads = [threading.Thread(target=lambda: [lines.put(line) for line in process.stdout]),
                       threading.Thread(target=lambda: self.errors.extend(process.stderr))]
            for thread in threads:
                thread.start()
            self.ended = None
            seen, changed = None, time.monotonic()
            while process.poll() is None:
                time.sleep(0.02)
                with open(progress.name, "rb") as file:
                    now = file.read(16)
                if now != seen:
                    seen, changed = now, time.monotonic()
                elif time.monotonic() - changed > PATIENCE:
                    process.kill()
                    self.ended = "hang"
            for thread in threads:
                thread.join()
            self.status = process.returncode
            with open(progress.name, "rb") as file:
                self.index, self.phase = struct.unpack("<qq", file.read(16))
        self.reports = [json.loads(line) for line in lines.queue if line.startswith("{")]
        if self.reports and self.reports[-1]["kind"] == "done":
            self.ended = "done"
        elif self.ended is None:
            self.ended = "crash"


def run(source, seed, start, stop):
    """All reports over these cases."""
    reports = []
    extra = ()
    while start < stop:
        worker = Worker(source, seed, start, min(stop, start + CHUNK), *extra)
        reports += worker.reports
        extra = ()
        if worker.ended == "done":
            start = min(stop, start + CHUNK)
            continue
        # A signal between two cases is what an earlier one, most likely the last, did to the memory.
        if worker.index < 0 or worker.phase == 0 and worker.status > 0:
            raise RuntimeError("the worker itself failed:\n" + "".join(worker.errors))
        start = worker.index
        if worker.phase == 2:  # the stock module did it: see what the tested one does alone
            extra = ("--without-stock", start)
            continue
        alone = Worker(source, seed, start, start + 1, "--without-tested", start)
        kind = worker.ended if alone.ended != "hang" else "slow in both"
        reports.append({"kind": kind, "index": start, "text": "".join(worker.errors)[-3000:]})
        start += 1
    return reports


def serious(report, messages=False):
    return (report["kind"] in ("class", "log", "graph", "rest", "memory", "crash", "hang")
            or messages and report["kind"] == "message")


def show(report):
    lines = [f"case {report['index']}: {report['kind']} {report.get('text', '')}"]
    if "data" in report:
        lines += [f"    bytes:    {bytes.fromhex(report['data'])!r}", f"    settings: {report['settings']}",
                  f"    stock:    {report['stock']}", f"    tested:   {report['tested']}"]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=("mutations", "grammar"), default="mutations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--case", type=int, help="this case alone")
    parser.add_argument("--messages", action="store_true", help="a differing message is a failure too")
    parser.add_argument("--shown", type=int, default=3, help="how many of each kind of difference to print")
    options = parser.parse_args()
    start, count = (options.start, options.count) if options.case is None else (options.case, 1)
    begun = time.monotonic()
    reports = run(options.source, options.seed, start, start + count)
    totals = collections.Counter()
    kinds = collections.Counter()
    for report in reports:
        if report["kind"] == "done":
            totals.update(cases=report["cases"], loaded=report["loaded"])
            continue
        sort = (report["kind"], report.get("stock", "")[:40], report.get("tested", "")[:40])
        kinds[sort] += 1
        if (serious(report, options.messages) or options.case is not None) and kinds[sort] <= options.shown:
            print(show(report))
    for sort, number in kinds.most_common(60):
        print(f"  {number:6} x {sort}")
    print(f"{totals['cases']} cases, {totals['loaded']} loaded, {time.monotonic() - begun:.0f} s, "
          f"Python {sys.version.split()[0]}")
    return 1 if any(serious(report, options.messages) for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
