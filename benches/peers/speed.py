"""How fast: mixtura beside scikit-learn (its own threads, and one BLAS thread), oneDAL (daal4py) and Armadillo (gmm_full, gmm_diag).

Usage: python3 speed.py [PART …] [--rounds 3] [--only 1e5x8k32,…] [--limit SECONDS]. README.md has the parts.
Everything runs in this process and on the same data, interleaved, the best of all rounds; mixtura through its Python package,
built from this repository; Armadillo as a process that times itself (armadillo.cpp, compiled on the spot where g++ and
Armadillo are installed). Every table prints as it grows; Ctrl-C prints what there is.
"""
import importlib
import signal
import sys

import common

# The file of each part, and what it measures. The first is the one that runs when none is named.
PARTS = {
    "iteration": "time of one EM iteration",
    "fits": "whole fits with default settings against scikit-learn's",
    "to-likelihood": "time to a log-likelihood from one start",
    "memory": "peak memory beyond the data",
    "background-model": "diagonal covariance, 39 columns, 1,024 components",
    "linear": "mixtura from 100,000 to 10,000,000 rows",
    "digits": "an AIC curve on handwritten digits",
}


def main():
    flags = [("--" + part, text) for part, text in PARTS.items()] + [
        ("--all", "every part, the whole grid, in 64 and 32 bit"), ("--whole", "--iteration over the whole grid"),
        ("--float32", "--iteration with 32-bit rows"), ("--test", "every part at tiny sizes: that it runs, not how fast")]
    args = common.prepare(__doc__.split("\n")[0], flags)
    if not args.here:
        common.install_package()
    wanted = [p for p in PARTS if args.all or args.test or getattr(args, p.replace("-", "_"))] or ["iteration"]
    if args.test:
        args.rounds = 1
    import tools  # numpy comes with it, and must not before `prepare()`

    tools.describe()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a time limit, too, ends with the tables
    try:
        for part in wanted:
            importlib.import_module(part.replace("-", "_")).main(args)
    except KeyboardInterrupt:
        sys.exit("interrupted")
    finally:
        print("load at the end:", common.load())
        for line in tools.failed:
            print("FAILED:", line)
    sys.exit(bool(tools.failed))


if __name__ == "__main__":
    main()
