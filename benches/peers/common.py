"""What the peer benches share: their own Python packages, mixtura's binary, runs of it, and a word about the machine.

Import this module before numpy: `prepare()` may start the script again inside its own virtual environment.
"""
import argparse
import hashlib
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
REQUIREMENTS = HERE / "requirements.txt"
# Packages of requirements.txt that exist for x86-64 only; the benches go without them elsewhere.
ONEDAL = ("daal", "scikit-learn-intelex", "tbb")

# Runs a command and says on stderr's last line how long it took and its peak resident memory. It is a process of its
# own because Linux counts the memory of the process that starts a child as the child's until the child begins.
MEASURE = (
    "import os,sys,time\n"
    "t=time.perf_counter()\n"
    "p=os.posix_spawn(sys.argv[1],sys.argv[1:],os.environ)\n"
    "_,s,u=os.wait4(p,0)\n"
    "t=time.perf_counter()-t\n"
    "sys.stderr.write('\\n%r %d'%(t,u.ru_maxrss))\n"
    "sys.exit(os.waitstatus_to_exitcode(s))\n"
)


def prepare(description, flags=(), binary=False):
    """Parse the arguments all benches have, and switches; make and enter the virtual environment where this Python is not it."""
    parser = argparse.ArgumentParser(description=description)
    if binary:
        parser.add_argument("binary", nargs="?", help="mixtura (default: target/release/mixtura, built if missing)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds of each timing; the best counts")
    parser.add_argument("--only", help="comma-separated names to run (default: all)")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="leave a peer out where it would need longer (default: by part)")
    parser.add_argument("--here", action="store_true", help="use this Python and the packages it has; make and build nothing")
    for flag, text in flags:
        parser.add_argument(flag, action="store_true", help=text)
    args = parser.parse_args()
    if not args.here:
        enter_venv()
    if binary:
        args.binary = find_binary(args.binary)
        describe_binary(args.binary)
    args.rounds = max(args.rounds, 1)
    args.only = args.only.split(",") if args.only else None
    describe_machine()
    return args


def missing_packages():
    """The lines of requirements.txt that this Python does not have."""
    missing = []
    for line in REQUIREMENTS.read_text().split():
        name, version = line.split("==")
        try:
            if metadata.version(name) != version:
                missing.append(line)
        except metadata.PackageNotFoundError:
            missing.append(line)
    return missing


def cache():
    """The folder for what is made once."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return folder if os.access(folder if folder.exists() else folder.parent, os.W_OK) else Path(tempfile.gettempdir())


def enter_venv():
    """Go on in the virtual environment of requirements.txt, made if it is not there."""
    if not missing_packages():
        return
    if os.environ.get("MIXTURA_PEERS_VENV"):
        lacking = [line for line in missing_packages() if not line.startswith(ONEDAL)]
        if lacking:
            sys.exit(f"the virtual environment lacks {', '.join(lacking)}: delete {sys.prefix}")
        return
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + platform.python_version().encode()).hexdigest()[:12]
    folder = cache() / ("mixtura-peers-" + key)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "complete").exists():
        print("making", folder, file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        lines = REQUIREMENTS.read_text().split()
        subprocess.run([*pip, *(line for line in lines if not line.startswith(ONEDAL))], check=True)
        if subprocess.run([*pip, *lines]).returncode != 0:
            print("oneDAL could not be installed: it is left out", file=sys.stderr)
        (folder / "complete").touch()
    os.environ["MIXTURA_PEERS_VENV"] = "1"
    os.execv(python, [str(python), *sys.argv])


def install_package():
    """Build this repository's Python package, release, into the environment that runs."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--force-reinstall", str(REPO)]
    subprocess.run(command, check=True)


def find_binary(given):
    binary = Path(given) if given else REPO / "target" / "release" / "mixtura"
    if not binary.exists():
        if given:
            sys.exit("no such file: " + given)
        subprocess.run(["cargo", "build", "--release", "-p", "mixtura-cli"], cwd=REPO, check=True)
    return str(binary.resolve())


def describe_binary(binary):
    sha = hashlib.sha256(Path(binary).read_bytes()).hexdigest()[:12]
    version = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout.strip()
    print(f"the command: {version} (sha256 {sha}…)")


def describe_machine():
    model = platform.processor()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    print(f"{time.strftime('%Y-%m-%d %H:%M')}, Python {platform.python_version()},",
          ", ".join(f"{p} {metadata.version(p)}" for p in ("scikit-learn", "numpy", "scipy")))
    print(f"CPU {model}, {os.cpu_count()} cores seen, load {load()}", flush=True)


def load():
    return "%.2f %.2f %.2f" % os.getloadavg() if hasattr(os, "getloadavg") else "unknown"


def fit(binary, *arguments):
    """Run `mixtura fit … --json`; the object, the seconds of the whole process, its peak memory in bytes."""
    command = [sys.executable, "-I", "-S", "-c", MEASURE, binary, "fit", *map(str, arguments), "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[5:])}: exit {done.returncode}: {done.stderr}")
    seconds, peak = done.stderr.rsplit("\n", 1)[1].split()
    return json.loads(done.stdout), float(seconds), int(peak) * (1 if sys.platform == "darwin" else 1024)


def overlapping(n, d, k, clusters=None):
    """Overlapping Gaussians with random covariances, K of them unless said; the start's means are K random rows."""
    import numpy as np  # not before `prepare()`

    rng = np.random.Generator(np.random.PCG64(20261121))
    x = np.empty((n, d))
    clusters = clusters or k
    labels = rng.integers(clusters, size=n)
    for j in range(clusters):
        rows = np.flatnonzero(labels == j)
        factor = np.eye(d) + 0.3 * rng.standard_normal((d, d)) / np.sqrt(d)
        x[rows] = rng.standard_normal((len(rows), d)) @ factor + 1.5 * rng.standard_normal(d)
    return x, x[rng.choice(n, k, replace=False)]


def name(n, d, k):
    """What `--only` calls a point: 1e5x8k32."""
    power = math.log10(n)
    return f"{f'1e{round(power)}' if power == round(power) else n}x{d}k{k}"


def title(n, d, k):
    return f"{n:,} × {d}, K = {k}"


@contextmanager
def growing_table(header):
    """A Markdown table: `with growing_table(header) as add: add(cell, …)`. Each row is printed at once, and the whole at the
    end, however the end came."""
    rows = []

    def add(*cells):
        rows.append(cells)
        print("done:", *cells, sep="  ", flush=True)

    try:
        yield add
    finally:
        if rows:
            table(header, rows)


def table(header, rows):
    """A Markdown table."""
    print()
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)
