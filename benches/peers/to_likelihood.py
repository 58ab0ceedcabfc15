"""Time to a log-likelihood: from one start, how long each tool needs to come within 1e-6 (relative) of the best.

"The best" is the highest log-likelihood that plain EM and mixtura's default iterations (SQUAREM) end at from this start. Every
tool then gets as many iterations as it needs to be there, and not one more; only these are timed, whole fits, the best of all
rounds; × counts from mixtura's shorter time. A tool that ends elsewhere has a dash, and how far below the best it is.
"""
from functools import partial

import common
import mixtura
import numpy as np
import tools

POINTS = [(10_000, 2, 3), (10_000, 8, 8), (100_000, 2, 8), (100_000, 8, 8), (100_000, 8, 32), (100_000, 32, 8), (1_000_000, 8, 8)]
WITHIN = 1e-6
# Plain EM is run until a row gains this many nats an iteration at the most: with a rate of 0.9999 the end is 1e-8 away.
STILL, MOST_ITERATIONS = 1e-12, 5_000
LIMIT = 600.0


def accelerated(problem, iterations):
    """mixtura's default iterations and stop rule from the problem's start."""
    return tools.timed(tools.estimator(mixtura.GaussianMixture, problem, iterations, tol=None, reg_covar=None), problem.x)


def shortest(run, problem, iterations, target):
    """The first number of iterations, from the given one on, whose result is there, or the last tried: it, its run and value."""
    for _ in range(20):
        last = run(problem, iterations)
        value = tools.log_likelihood(problem.x, last)
        if value >= target or last.iterations < iterations:
            break
        iterations += max(1, iterations // 50)
    return iterations, last, value


def main(args):
    print(f"\n## Time to a log-likelihood within {WITHIN:g} (relative) of the best, same start, full covariance")
    everyone = {"mixtura, default": accelerated, "mixtura, plain EM": tools.ours} | {w: t for w, t in tools.TOOLS.items() if w != "mixtura"}
    header = ["data", "the best", *(f"{who}, ms (iterations)" for who in everyone), "load before → after"]
    points = [(1_000, 2, 3)] if args.test else [p for p in POINTS if not args.only or common.name(*p) in args.only]
    with common.growing_table(header) as add:
        for point in points:
            problem = tools.Problem(*common.overlapping(*point))
            row = tools.attempt(common.name(*point), one_point, problem, everyone, args)
            if row:
                add(common.title(*point), *row)


def one_point(problem, everyone, args):
    before = common.load()
    ends = {tol: tools.estimator(mixtura.GaussianMixture, problem, MOST_ITERATIONS, tol=tol, reg_covar=reg_covar).fit(problem.x).trace_["objective"]
            for tol, reg_covar in ((None, None), (STILL, 1e-6))}
    best = max(objective.max() for objective in ends.values())
    target = best - WITHIN * abs(best)
    first = {tol: int(np.argmax(objective >= target)) if objective.max() >= target else len(objective) - 1 for tol, objective in ends.items()}
    counts, notes, seconds = {}, {}, {}
    for who, run in everyone.items():
        iterations = max(first[None if run is accelerated else STILL], 1)
        if who.startswith("scikit") and iterations * tools.scikit_seconds(*problem.sizes) > (args.limit or LIMIT):
            notes[who] = "–"
            continue
        found = tools.attempt(who, partial(shortest, run), problem, iterations, target)
        if found is None:
            notes[who] = "–"
        elif found[2] < target:
            notes[who] = f"– ({(best - found[2]) / abs(best):.1e} below)"
        else:
            counts[who], seconds[who] = found[0], found[1].seconds
    for _ in range(args.rounds):
        for who, iterations in counts.items():
            if seconds[who] <= tools.LONG:
                seconds[who] = min(seconds[who], everyone[who](problem, iterations).seconds)
    mine = min((s for who, s in seconds.items() if who.startswith("mixtura")), default=None)
    for who, count in counts.items():
        ratio = f", {seconds[who] / mine:.1f} ×" if mine and not who.startswith("mixtura") else ""
        notes[who] = f"{seconds[who] * 1e3:.3g} ({count}{ratio})"
    return [f"{best:.3f}", *(notes[who] for who in everyone), f"{before} → {common.load()}"]
