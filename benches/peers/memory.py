"""Peak memory beyond the data: each tool in a process of its own, three EM iterations from a given start.

The process loads the rows, imports the tool, forgets its peak so far, and fits; what counts is the peak of the resident memory
less what was resident before. Linux only: the numbers are those of /proc. `python memory.py TOOL FOLDER` is one such process.
"""
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import common
import mixtura
import numpy as np
import tools

POINTS = [(1_000_000, 8, 8), (1_000_000, 2, 32), (100_000, 64, 8)]
ITERATIONS = 3
BINARY = common.REPO / "target" / "release" / "mixtura"


def status(key):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


def default(problem, iterations):
    return tools.timed(mixtura.GaussianMixture(len(problem.means), random_state=0), problem.x)


TOOLS = {"mixtura": tools.ours, "mixtura, its own start": default} | {w: t for w, t in tools.TOOLS.items() if w not in ("mixtura", "Armadillo")}


def child(who, folder):
    problem = tools.Problem(np.load(Path(folder) / "x.npy"), np.load(Path(folder) / "means.npy"))
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass  # the peak then is that since the process began, which is no smaller
    before = status("VmRSS:")
    TOOLS[who](problem, ITERATIONS)
    print(status("VmHWM:") - before)


def in_a_process(who, folder):
    command = [sys.executable, "-W", "ignore", __file__, who, folder]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-500:])
    return int(done.stdout)


def command(folder, k):
    """The whole process of the `mixtura` command with its own start, less the data: it reads them itself."""
    x = Path(folder) / "x.npy"
    _, _, peak = common.fit(BINARY, x, "-k", k, "--covariance", "full")
    return peak - np.load(x, mmap_mode="r").nbytes


def peaks(problem, folder):
    """Every tool, and a function for its bytes."""
    for who in TOOLS:
        yield who, partial(in_a_process, who, folder)
    if "Armadillo" in tools.TOOLS:
        yield "Armadillo", lambda: tools.armadillo(problem, ITERATIONS).memory
    if BINARY.exists():
        yield "the command `mixtura fit`, whole process", partial(command, folder, len(problem.means))


def main(args):
    print("\n## Peak memory beyond the data, full covariance, 64-bit rows")
    if not Path("/proc/self/status").exists():
        print("not measured: there is no /proc here")
        return
    points = [(1_000, 2, 3)] if args.test else [p for p in POINTS if not args.only or common.name(*p) in args.only]
    with common.growing_table(["data", "its MB", "tool", "beyond it, MB", "× the data"]) as add:
        for point in points:
            problem = tools.Problem(*common.overlapping(*point))
            size = problem.x.nbytes
            with tempfile.TemporaryDirectory(prefix="mixtura-peers-") as folder:
                np.save(Path(folder) / "x.npy", problem.x)
                np.save(Path(folder) / "means.npy", problem.means)
                for who, measure in peaks(problem, folder):
                    peak = tools.attempt(who, measure)
                    if peak is not None:
                        add(common.title(*point), f"{size / 1e6:.1f}", who, f"{peak / 1e6:.1f}", f"{peak / size:.3f}")


if __name__ == "__main__":
    child(*sys.argv[1:])
