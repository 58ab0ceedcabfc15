"""What the peer benches share: their own Python packages, mixtura's binary, runs of it, and a word about the machine.

Import this module before numpy: `prepare()` may start the script again inside its own virtual environment.
"""
import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import venv
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
REQUIREMENTS = HERE / "requirements.txt"

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


def prepare(description, *flags):
    """Parse the arguments all benches have, and switches; make and enter the virtual environment if this Python lacks a package."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("binary", nargs="?", help="mixtura (default: target/release/mixtura, built if missing)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds of each timing; the best counts")
    parser.add_argument("--only", help="comma-separated parts to run (default: all)")
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    args = parser.parse_args()
    if not packages_present():
        enter_venv()
    args.binary = find_binary(args.binary)
    args.only = args.only.split(",") if args.only else None
    describe_machine(args.binary)
    return args


def packages_present():
    for line in REQUIREMENTS.read_text().split():
        name, version = line.split("==")
        try:
            if metadata.version(name) != version:
                return False
        except metadata.PackageNotFoundError:
            return False
    return True


def enter_venv():
    if os.environ.get("MIXTURA_PEERS_VENV"):
        sys.exit("the virtual environment lacks a package of " + str(REQUIREMENTS))
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + platform.python_version().encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if not os.access(cache if cache.exists() else cache.parent, os.W_OK):
        cache = Path(tempfile.gettempdir())
    folder = cache / ("mixtura-peers-" + key)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "complete").exists():
        print("making", folder, file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], check=True)
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


def describe_machine(binary):
    model = platform.processor()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    sha = hashlib.sha256(Path(binary).read_bytes()).hexdigest()[:12]
    version = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout.strip()
    print(f"{version} (sha256 {sha}…), Python {platform.python_version()},",
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


def overlapping(n, d, k):
    """K overlapping Gaussians with random covariances; the start's means are K random rows."""
    import numpy as np  # not before `prepare()`

    rng = np.random.Generator(np.random.PCG64(20261121))
    x = np.empty((n, d))
    labels = rng.integers(k, size=n)
    for j in range(k):
        rows = np.flatnonzero(labels == j)
        factor = np.eye(d) + 0.3 * rng.standard_normal((d, d)) / np.sqrt(d)
        x[rows] = rng.standard_normal((len(rows), d)) @ factor + 1.5 * rng.standard_normal(d)
    return x, x[rng.choice(n, k, replace=False)]


def table(header, rows):
    """A Markdown table."""
    print()
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)
