"""Whether time grows with the rows: mixtura's iteration at 1e5, 1e6 and 1e7 rows, per row, against that at 1e5."""
import common
import iteration
import tools

SHAPES = ((8, 8), (2, 3))  # columns, components
ROWS = (100_000, 1_000_000, 10_000_000)


def main(args):
    print("\n## mixtura alone, full covariance: time of one EM iteration per row")
    with common.growing_table(["data", "ms", "ns per row", "× that of the fewest rows", "load before → after"]) as add:
        for d, k in SHAPES:
            first = None
            for n in (500, 1_000) if args.test else ROWS:
                before = common.load()
                seconds, _ = iteration.per_iteration(tools.Problem(*common.overlapping(n, d, k)), ["mixtura"], args)
                if "mixtura" in seconds:
                    row = seconds["mixtura"] / n
                    first = first or row
                    add(common.title(n, d, k), f"{seconds['mixtura'] * 1e3:.4g}", f"{row * 1e9:.3g}", f"{row / first:.3f}", f"{before} → {common.load()}")
