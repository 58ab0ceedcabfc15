"""Time of one EM iteration of every tool, over rows, columns and components.

All begin at equal weights, K random rows as means and unit covariances, and take exactly n iterations of plain EM. The time of
an iteration is the difference of two fits with different n over the difference of what they did, so that what is done once
cancels; runs are interleaved, the shortest of all rounds counts. After three iterations all must have the same log-likelihood.
"""
import common
import numpy as np
import tools

ROWS, COLUMNS, COMPONENTS = (10_000, 100_000, 1_000_000), (1, 2, 8, 16, 32, 64, 128), (3, 8, 32, 128)
# What a default run takes from the grid: every column count at 100,000 rows, and some of the rest.
SHORT = {(100_000, d, k) for d in COLUMNS for k in (8, 32)} | {(10_000, 2, 3), (10_000, 8, 8), (1_000_000, 8, 8), (100_000, 2, 128)}
TINY = [(1_000, 2, 3), (500, 8, 3)]
MOST_FLOPS = 2e10
# A fit that is timed should last about this many seconds.
LONG_ENOUGH = 0.5
# The tools' log-likelihoods of the first rows are compared after three iterations. scikit-learn's sums run in another order:
# 1e-8 leaves eight digits for that. The others keep variances up in their own way (a floor in place of 1e-6 added, or only
# where a matrix is singular), which changes variances near 1 by about 1e-6: theirs are printed only.
CHECK_ITERATIONS, JUDGED_ROWS, SAME = 3, 100_000, 1e-8


def grid(most_flops):
    """The grid's points of at most so many multiplications and additions, the cheap ones first."""
    points = [(n, d, k) for n in ROWS for d in COLUMNS for k in COMPONENTS if 2 * n * k * d * d <= most_flops]
    return sorted(points, key=lambda p: p[0] * p[2] * (p[1] ** 2 + 8 * p[1] + 20))


def chosen(args, points, whole=True):
    """The points that the arguments ask for; `whole`: all of them unless `--only` says which."""
    if args.only:
        return [p for p in points if common.name(*p) in args.only]
    return TINY if args.test else [p for p in points if whole or p in SHORT]


def per_iteration(problem, names, args, limit=60.0):
    """Seconds of an iteration, and log-likelihood after three, of those who can do it; a peer that needs more than `limit` is left out."""
    seconds, value, best, counts = {}, {}, {}, {}
    for who in names:
        if who.startswith("scikit") and tools.scikit_seconds(*problem.sizes) * 4 * args.rounds > (args.limit or limit):
            continue
        run = tools.attempt(who, tools.TOOLS[who], problem, CHECK_ITERATIONS)
        if run is None:
            continue
        judged = tools.attempt(f"log-likelihood of {who}", tools.log_likelihood, problem.x[:JUDGED_ROWS], run, problem.covariance)
        if judged is None:
            continue
        value[who] = judged
        guess = max(run.seconds / (CHECK_ITERATIONS + 1), 1e-6)
        counts[who] = (1, 1 + int(np.clip((0.01 if args.test else LONG_ENOUGH) / guess, 2, 300)))
    for _ in range(args.rounds):
        for position in (0, 1):
            for who in list(counts):
                run = tools.attempt(who, tools.TOOLS[who], problem, counts[who][position])
                if run is None:
                    del counts[who]
                    continue
                best[who, position] = min(best.get((who, position), (np.inf, 0)), (run.seconds, run.iterations))
    for who in counts:
        (few, did_few), (many, did_many) = best[who, 0], best[who, 1]
        if did_many > did_few and many > few:
            seconds[who] = (many - few) / (did_many - did_few)
        else:
            print(f"no time: {who} at {common.name(*problem.sizes)}: {did_few} iterations took {few:.3g} s, {did_many} took {many:.3g} s", flush=True)
    return seconds, value


def apart(value):
    """The largest relative difference of a log-likelihood from mixtura's: scikit-learn's, and that of the others."""
    far = {who: abs(v / value["mixtura"] - 1) for who, v in value.items() if who != "mixtura"}
    pair = [max((f for who, f in far.items() if who.startswith("scikit") == s), default=None) for s in (True, False)]
    return " / ".join("–" if f is None else f"{f:.0e}" for f in pair)


def main(args):
    for width in (np.float64, np.float32) if args.all or args.test else (np.float32,) if args.float32 else (np.float64,):
        one_width(args, width)


def one_width(args, width):
    print(f"\n## Time of one EM iteration, full covariance, {np.dtype(width).itemsize * 8}-bit rows")
    peers = [who for who in tools.TOOLS if who != "mixtura"]
    ratios = {who: [] for who in peers}
    header = ["data", "mixtura, ms", "GFLOP/s", *(f"{w}, ms (ratio)" for w in peers),
              f"log-likelihood after {CHECK_ITERATIONS}, relative difference: scikit-learn / others", "load before → after"]
    try:
        with common.growing_table(header) as add:
            for point in chosen(args, grid(MOST_FLOPS), args.whole or args.all):
                n, d, k = point
                x, means = common.overlapping(*point)
                before = common.load()
                seconds, value = per_iteration(tools.Problem(x.astype(width, copy=False), means), tools.TOOLS, args)
                if "mixtura" not in seconds:
                    continue
                mine = seconds["mixtura"]
                for who in peers:
                    if who in seconds:
                        ratios[who].append(seconds[who] / mine)
                others = [f"{seconds[w] * 1e3:.3g} ({seconds[w] / mine:.1f})" if w in seconds else "–" for w in peers]
                add(common.title(*point), f"{mine * 1e3:.3g}", f"{2 * n * k * d * d / mine / 1e9:.0f}", *others, apart(value),
                    f"{before} → {common.load()}")
                # The same start, the same data, the same number of iterations: the same result, or nothing here means anything.
                if width is np.float64 and not all(abs(v / value["mixtura"] - 1) <= SAME for w, v in value.items() if w.startswith("scikit")):
                    tools.failed.append(f"{common.name(*point)}: scikit-learn's log-likelihood is another: {value}")
    finally:
        for who, all_of in ratios.items():
            if all_of:
                print(f"{who}: {len(all_of)} points, ratio smallest {min(all_of):.2f}, median {np.median(all_of):.2f}, largest {max(all_of):.1f}")
