"""A universal background model: diagonal covariance, 39 columns, 1,024 components, time of one EM iteration.

The sizes are those of speaker recognition (Reynolds, Quatieri & Dunn 2000, Digital Signal Processing 10, 19–41: 1,024 and 2,048 components with
diagonal covariances over cepstra and their differences). 64 clusters lie below them, so that each is shared by about 16 components.
"""
import common
import iteration
import tools

COLUMNS, COMPONENTS, CLUSTERS = 39, 1_024, 64
PEERS = ("mixtura", "Armadillo", "scikit-learn", "scikit-learn, 1 BLAS thread")  # at 100,000 rows; mixtura alone at 1,000,000
LIMIT = 1800.0


def main(args):
    print(f"\n## Diagonal covariance, {COLUMNS} columns, K = {COMPONENTS:,}: time of one EM iteration")
    names = [who for who in PEERS if who in tools.TOOLS]
    header = ["data", *(f"{who}, ms (ratio)" for who in names), "log-likelihood after 3, relative difference: scikit-learn / others",
              "load before → after"]
    with common.growing_table(header) as add:
        for n, k, who in ((500, 8, names),) if args.test else ((100_000, COMPONENTS, names), (1_000_000, COMPONENTS, names[:1])):
            x, means = common.overlapping(n, COLUMNS, k, min(k, CLUSTERS))
            before = common.load()
            seconds, value = iteration.per_iteration(tools.Problem(x, means, "diag"), who, args, LIMIT)
            if "mixtura" in seconds:
                cells = [f"{seconds[w] * 1e3:.4g} ({seconds[w] / seconds['mixtura']:.1f})" if w in seconds else "–" for w in names]
                add(common.title(n, COLUMNS, k), *cells, iteration.apart(value), f"{before} → {common.load()}")
