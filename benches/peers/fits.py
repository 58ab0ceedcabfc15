"""Whole fits, starts included: mixtura against scikit-learn with its defaults (one start, at most 100 iterations).

Three calls of mixtura: its defaults; `n_init=1`, one run of the race's winner in place of several; and scikit-learn's own
settings, the same start and stop rule. A call has to end at scikit-learn's log-likelihood or above it for its time to count: the
table marks where it does not.
"""
import common
import iteration
import mixtura
import numpy as np
import sklearn.mixture
import tools

PEER = "scikit-learn"
CALLS = {
    "mixtura": lambda k: mixtura.GaussianMixture(k, random_state=0),
    "mixtura, n_init=1": lambda k: mixtura.GaussianMixture(k, n_init=1, random_state=0),
    "mixtura, its settings": lambda k: mixtura.GaussianMixture(k, tol=1e-3, reg_covar=1e-6, n_init=1, init_params="kmeans", random_state=0),
    PEER: lambda k: sklearn.mixture.GaussianMixture(k, random_state=0),
}
MOST_PRODUCTS = 2e9  # N·K·D²
LIMIT = 1800.0
# Two ends at the same optimum differ by rounding: about N roundings of 1e-16, and as much in every density.
SAME = 1e-9


def one_fit(who, x, k):
    return tools.timed(CALLS[who](k), x)


def main(args):
    print("\n## Whole fits, full covariance, random_state 0; seconds, in brackets scikit-learn's time over it and nats above scikit-learn's end")
    ratios = {who: [] for who in CALLS if who != PEER}
    lower = {who: [] for who in ratios}
    try:
        with common.growing_table(["data", *CALLS, "load before → after"]) as add:
            for n, d, k in iteration.chosen(args, iteration.grid(2 * MOST_PRODUCTS)):
                # As many iterations as scikit-learn takes at most.
                if 100 * tools.scikit_seconds(n, d, k) > (args.limit or LIMIT):
                    print("left out, scikit-learn may take too long:", common.name(n, d, k))
                    continue
                x, _ = common.overlapping(n, d, k)
                before, best = common.load(), {}
                for _ in range(args.rounds):
                    for who in CALLS:
                        if who in best and (best[who] is None or best[who].seconds > tools.LONG):
                            continue
                        run = tools.attempt(f"{who} at {common.name(n, d, k)}", one_fit, who, x, k)
                        best[who] = min((r for r in (best.get(who), run) if r), key=lambda r: r.seconds, default=None)
                if None in best.values():
                    continue
                value = {who: tools.log_likelihood(x, run) for who, run in best.items()}
                cells = []
                for who in ratios:
                    above = value[who] - value[PEER]
                    reached = above >= -SAME * abs(value[PEER])
                    ratio = best[PEER].seconds / best[who].seconds
                    (ratios if reached else lower)[who].append(ratio)
                    cells.append(f"{best[who].seconds:.3g} ({ratio:.2f}, {above:+.1f}{'' if reached else ': lower'})")
                add(common.title(n, d, k), *cells, f"{best[PEER].seconds:.3g}", f"{before} → {common.load()}")
    finally:
        for who, reached in ratios.items():
            if reached:
                print(f"{who}: at least as high at {len(reached)} of {len(reached) + len(lower[who])} points; scikit-learn's time over its there:",
                      f"smallest {min(reached):.2f}, median {np.median(reached):.2f}, largest {max(reached):.1f}; above 1 at {sum(r > 1 for r in reached)}")
            if lower[who]:
                print(f"{who}: lower at {len(lower[who])} points; median ratio of all points {np.median(reached + lower[who]):.2f}")
