"""Whole fits, starts included: mixtura with its defaults against scikit-learn with its own (one start, at most 100 iterations).

mixtura has to end at scikit-learn's log-likelihood or above it for its time to count: the table says where it does not.
"""
import common
import iteration
import mixtura
import numpy as np
import sklearn.mixture
import tools

CLASSES = {"mixtura": mixtura.GaussianMixture, "scikit-learn": sklearn.mixture.GaussianMixture}
MOST_PRODUCTS = 2e9  # N·K·D²
LIMIT = 1800.0
# Two ends at the same optimum differ by rounding: about N roundings of 1e-16, and as much in every density.
SAME = 1e-9


def one_fit(who, x, k):
    return tools.timed(CLASSES[who](k, random_state=0), x)


def main(args):
    print("\n## Whole fits, full covariance, default settings, random_state 0")
    ratios, lower = [], []
    header = ["data", "mixtura, s", "scikit-learn, s", "ratio", "log-likelihood of mixtura", "of scikit-learn", "mixtura at least that",
              "load before → after"]
    try:
        with common.growing_table(header) as add:
            for n, d, k in iteration.chosen(args, iteration.grid(2 * MOST_PRODUCTS)):
                # As many iterations as scikit-learn takes at most.
                if 100 * tools.scikit_seconds(n, d, k) > (args.limit or LIMIT):
                    print("left out, scikit-learn may take too long:", common.name(n, d, k))
                    continue
                x, _ = common.overlapping(n, d, k)
                before, best = common.load(), {}
                for _ in range(args.rounds):
                    for who in CLASSES:
                        if who in best and (best[who] is None or best[who].seconds > tools.LONG):
                            continue
                        run = tools.attempt(f"{who} at {common.name(n, d, k)}", one_fit, who, x, k)
                        best[who] = min((r for r in (best.get(who), run) if r), key=lambda r: r.seconds, default=None)
                if None in best.values():
                    continue
                value = {who: tools.log_likelihood(x, run) for who, run in best.items()}
                reached = value["mixtura"] >= value["scikit-learn"] - SAME * abs(value["scikit-learn"])
                ratio = best["scikit-learn"].seconds / best["mixtura"].seconds
                (ratios if reached else lower).append(ratio)
                add(common.title(n, d, k), *(f"{best[who].seconds:.3g}" for who in CLASSES), f"{ratio:.2f}",
                    *(f"{value[who]:.3f}" for who in CLASSES), "yes" if reached else f"no, {value['mixtura'] - value['scikit-learn']:.3g} nats",
                    f"{before} → {common.load()}")
    finally:
        if ratios:
            print(f"scikit-learn's time over mixtura's where mixtura ends at least as high ({len(ratios)} of {len(ratios) + len(lower)} points):",
                  f"smallest {min(ratios):.2f}, median {np.median(ratios):.2f}, largest {max(ratios):.1f}; above 1 at {sum(r > 1 for r in ratios)}")
        if lower:
            print(f"lower at {len(lower)} points; median ratio of all points {np.median(ratios + lower):.2f}")
