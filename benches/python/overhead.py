"""What a fit through Python costs over the library's own call, at 100,000 x 8.

    python benches/python/overhead.py

Prints, for several kinds of fit and layouts, the library's own time and what comes on top of it, median and least of 7:
on a machine with other work the least is the readable one.
"""

import statistics
import time
import warnings

import numpy as np
from mixtura import GaussianMixture


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(c, 1.0, size=(25_000, 8)) for c in rng.normal(size=(4, 8)) * 3])
    rng.shuffle(X)
    start = {"weights_init": np.full(4, 0.25), "means_init": X[:4], "precisions_init": np.stack([np.eye(8)] * 4)}
    kinds = {
        "10 iterations, given start": {"tol": 0.0, "max_iter": 10, "reg_covar": 1e-6, **start},
        "50 iterations, given start": {"tol": 0.0, "max_iter": 50, "reg_covar": 1e-6, **start},
        "default": {"random_state": 0},
    }
    layouts = {"C, 64 bit": X, "F, 64 bit": np.asfortranarray(X), "C, 32 bit": X.astype(np.float32)}
    for kind, options in kinds.items():
        for layout, rows in layouts.items():
            own, whole = [], []
            for _ in range(7):
                began = time.perf_counter()
                model = GaussianMixture(4, **options).fit(rows)
                whole.append(time.perf_counter() - began)
                own.append(model._seconds)
            over = [w - o for w, o in zip(whole, own, strict=True)]
            inside = statistics.median(own)
            print(
                f"{kind:28} {layout:10} library {inside * 1e3:7.1f} ms, least {min(own) * 1e3:7.1f}; over "
                f"{statistics.median(over) * 1e3:5.2f} ms, least {min(over) * 1e3:5.2f}; "
                f"limit {20 * inside + 1:5.2f} ms, by the least {20 * min(own) + 1:5.2f}"
            )


if __name__ == "__main__":
    main()
