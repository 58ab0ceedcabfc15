"""Run scikit-learn's BayesianGaussianMixture (full) iteration by iteration from given responsibilities; exact evidences with mpmath.

Writes ../cases/bayesian_mixture.json. The start's responsibilities are handed to scikit-learn in place of its k-means,
max_iter = 1, 2, ... stops it after each iteration.
"""
import json, os, warnings
import mpmath as mp
import numpy as np, sklearn
from sklearn.mixture import BayesianGaussianMixture

warnings.simplefilter("ignore")
mp.mp.dps = 50
HERE = os.path.dirname(os.path.abspath(__file__))
SEED, N, D, K = 4711, 90, 2, 4
ITERATIONS = [0, 1, 2, 3, 10, 40]
FIELDS = ["weights_", "means_", "covariances_", "mean_precision_", "degrees_of_freedom_"]


class From(BayesianGaussianMixture):
    """Starts at given responsibilities; `after` = 0 keeps the first M-step."""

    def _initialize_parameters(self, X, random_state, **more):
        self._initialize(X, self.resp)


def after(x, resp, iterations, options):
    model = From(n_components=K, max_iter=max(iterations, 1), tol=0.0, **options)
    model.resp = resp
    if iterations == 0:
        # The first M-step alone: no public way stops there.
        model._check_parameters(x)
        model._initialize(x, resp)
    else:
        model.fit(x)
    return {
        "weights": model.weights_.tolist() if iterations else None,
        "means": model.means_.tolist(), "covariances": model.covariances_.tolist(),
        "mean_precision": model.mean_precision_.tolist(), "degrees_of_freedom": model.degrees_of_freedom_.tolist(),
        "weight_concentration": [np.asarray(c).tolist() for c in model.weight_concentration_] if isinstance(model.weight_concentration_, tuple) else [model.weight_concentration_.tolist()],
        "lower_bound": getattr(model, "lower_bound_", None),
    }


def evidence_matrix(x, m0, kappa0, nu0, scale0):
    """log p(x) of the normal-Wishart model with one full precision (Murphy 2007, eq. 266), 50 digits."""
    n, d = len(x), len(m0)
    X = [mp.matrix([mp.mpf(float(v)) for v in row]) for row in x]
    M = mp.matrix([mp.mpf(float(v)) for v in m0])
    mean = sum(X, mp.matrix(d, 1)) / n
    S = sum(((r - mean) * (r - mean).T for r in X), mp.matrix(d, d))
    kn, vn = mp.mpf(kappa0) + n, mp.mpf(nu0) + n
    T0 = mp.matrix([[mp.mpf(float(v)) for v in row] for row in scale0])
    Tn = T0 + S + (mp.mpf(kappa0) * n / kn) * (mean - M) * (mean - M).T
    lg = lambda a: mp.mpf(d * (d - 1)) / 4 * mp.log(mp.pi) + sum(mp.loggamma(a - mp.mpf(i) / 2) for i in range(d))
    return -mp.mpf(n * d) / 2 * mp.log(mp.pi) + lg(vn / 2) - lg(mp.mpf(nu0) / 2) + mp.mpf(nu0) / 2 * mp.log(mp.det(T0)) - vn / 2 * mp.log(mp.det(Tn)) + mp.mpf(d) / 2 * mp.log(mp.mpf(kappa0) / kn)


def evidence_tied(groups, m0, kappa0, nu0, scale0):
    """log p(x | z) with one precision for all groups and a mean each: the same integral, group by group for the means."""
    d = len(m0)
    M = mp.matrix([mp.mpf(float(v)) for v in m0])
    T0 = mp.matrix([[mp.mpf(float(v)) for v in row] for row in scale0])
    Tn, vn, means, total = T0.copy(), mp.mpf(nu0), mp.mpf(0), 0
    for x in groups:
        n = len(x)
        X = [mp.matrix([mp.mpf(float(v)) for v in row]) for row in x]
        mean = sum(X, mp.matrix(d, 1)) / n
        kn = mp.mpf(kappa0) + n
        Tn += sum(((r - mean) * (r - mean).T for r in X), mp.matrix(d, d)) + (mp.mpf(kappa0) * n / kn) * (mean - M) * (mean - M).T
        vn, total = vn + n, total + n
        means += mp.mpf(d) / 2 * mp.log(mp.mpf(kappa0) / kn)
    lg = lambda a: mp.mpf(d * (d - 1)) / 4 * mp.log(mp.pi) + sum(mp.loggamma(a - mp.mpf(i) / 2) for i in range(d))
    return -mp.mpf(total * d) / 2 * mp.log(mp.pi) + lg(vn / 2) - lg(mp.mpf(nu0) / 2) + mp.mpf(nu0) / 2 * mp.log(mp.det(T0)) - vn / 2 * mp.log(mp.det(Tn)) + means


def evidence_scalar(x, m0, kappa0, a0, b0):
    """log p(x) with one Gamma(a0, b0) precision for all columns, each with its own mean (Murphy 2007, eq. 95, D columns).

    NaN cells are not there."""
    an, bn, rest = mp.mpf(a0), mp.mpf(b0), mp.mpf(0)
    for j in range(x.shape[1]):
        col = [mp.mpf(float(v)) for v in x[:, j] if v == v]
        n = len(col)
        kn, mean = mp.mpf(kappa0) + n, sum(col) / n
        an += mp.mpf(n) / 2
        bn += sum((v - mean) ** 2 for v in col) / 2 + mp.mpf(kappa0) * n * (mean - mp.mpf(float(m0[j]))) ** 2 / (2 * kn)
        rest += mp.log(mp.mpf(kappa0) / kn) / 2 - mp.mpf(n) / 2 * mp.log(2 * mp.pi)
    return mp.loggamma(an) - mp.loggamma(a0) + mp.mpf(a0) * mp.log(b0) - an * mp.log(bn) + rest


def evidence_labels(counts, kind, c):
    """log p(z): Dirichlet-multinomial, or sticks v_k ~ Beta(1, c) integrated one by one."""
    c = mp.mpf(c)
    if kind == "dirichlet_distribution":
        k, n = len(counts), sum(counts)
        return mp.loggamma(k * c) - mp.loggamma(k * c + n) + sum(mp.loggamma(c + m) - mp.loggamma(c) for m in counts)
    return sum(mp.log(mp.beta(1 + m, c + sum(counts[i + 1:])) / mp.beta(1, c)) for i, m in enumerate(counts))


def main():
    rng = np.random.Generator(np.random.PCG64(SEED))
    lab = rng.integers(0, 3, N)
    x = np.array([[0.0, 0.0], [4.0, -3.0], [-3.0, 5.0]])[lab] + rng.normal(0, [1.0, 0.6], (N, D))
    x[:, 1] += 0.4 * x[:, 0]
    x = np.round(x, 4)
    resp = rng.dirichlet(np.ones(K) * 0.7, N)
    given = {"mean_precision_prior": 0.3, "mean_prior": [0.5, -1.0], "degrees_of_freedom_prior": 4.5, "covariance_prior": [[2.0, 0.3], [0.3, 1.5]]}
    runs = []
    for kind in ["dirichlet_process", "dirichlet_distribution"]:
        for concentration, priors, reg in [(0.25, {}, 1e-6), (2.0, given, 0.0), (0.01, given, 0.05)]:
            options = dict(weight_concentration_prior_type=kind, weight_concentration_prior=concentration, reg_covar=reg, **priors)
            states = {str(t): after(x, resp, t, options) for t in ITERATIONS}
            print(kind, concentration, reg, states["40"]["weights"])
            runs.append({"options": options, "after": states})
    m0, kappa0, nu0, T0 = given["mean_prior"], given["mean_precision_prior"], given["degrees_of_freedom_prior"], given["covariance_prior"]
    diag, sph = [1.7, 0.9], 1.3
    full = lambda x: evidence_matrix(x, m0, kappa0, nu0, T0)
    by_column = lambda x: sum(evidence_scalar(x[:, j:j + 1], m0[j:j + 1], kappa0, mp.mpf(nu0) / 2, mp.mpf(diag[j]) / 2) for j in range(D))
    round_ = lambda x: evidence_scalar(x, m0, kappa0, D * mp.mpf(nu0) / 2, D * mp.mpf(sph) / 2)
    exact = {"full": full(x), "diag": by_column(x), "spherical": round_(x)}
    groups = [x[lab == k] for k in range(3)]
    labelled = {"full": sum(map(full, groups)), "tied": evidence_tied(groups, m0, kappa0, nu0, T0), "diag": sum(map(by_column, groups)), "spherical": sum(map(round_, groups))}
    assert abs(evidence_tied([x], m0, kappa0, nu0, T0) - exact["full"]) < 1e-40
    counts = [len(g) for g in groups]
    labels = {kind: {str(c): float(evidence_labels(counts, kind, c)) for c in (0.3, 0.7)} for kind in ("dirichlet_distribution", "dirichlet_process")}
    gaps = x.copy()
    gaps[rng.random((N, D)) < 0.15] = np.nan
    missing = {"diag": by_column(gaps), "spherical": round_(gaps)}
    # Second route: the chain rule, row by row, with Student-t predictives.
    t = mp.mpf(0)
    for i in range(N):
        a = evidence_matrix(x[:i + 1], m0, kappa0, nu0, T0)
        b = evidence_matrix(x[:i], m0, kappa0, nu0, T0) if i else mp.mpf(0)
        n = i
        kn, vn = mp.mpf(kappa0) + n, mp.mpf(nu0) + n
        X = [mp.matrix(r.tolist()) for r in x[:i]]
        mean = sum(X, mp.matrix(D, 1)) / n if n else mp.matrix(D, 1)
        M = mp.matrix(m0)
        mn = (mp.mpf(kappa0) * M + n * mean) / kn
        Tn = mp.matrix(T0) + sum(((r - mean) * (r - mean).T for r in X), mp.matrix(D, D)) + (mp.mpf(kappa0) * n / kn) * (mean - M) * (mean - M).T
        df = vn - D + 1
        S = Tn * (kn + 1) / (kn * df)
        e = mp.matrix(x[i].tolist()) - mn
        q = (e.T * mp.inverse(S) * e)[0]
        p = mp.loggamma((df + D) / 2) - mp.loggamma(df / 2) - mp.mpf(D) / 2 * mp.log(df * mp.pi) - mp.log(mp.det(S)) / 2 - (df + D) / 2 * mp.log(1 + q / df)
        assert abs(a - b - p) < mp.mpf(10) ** -12, (i, a - b, p)
        t += p
    print({k: float(v) for k, v in exact.items()}, float(t))
    json.dump({
        "name": "bayesian_mixture",
        "certificate": {
            "tool": "scikit-learn BayesianGaussianMixture, covariance_type='full'; mpmath, 50 digits", "version": {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "mpmath": mp.__version__},
            "script": "golden/generators/bayesian_mixture.py", "seed": "PCG64(%d)" % SEED, "date": "2026-11-21", "tolerance": {"parameters_abs": 1e-8, "evidence_rel": 1e-12},
            "reason_for_tolerance": "both sides do the same few hundred additions in f64; from one iteration to the next rounding grows by the rate of convergence at most. scikit-learn adds 10 eps to every count, 2e-15 of a row. Evidences are exact to the last digit",
        },
        "input": {"x": x.tolist(), "labels": lab.tolist(), "x_with_gaps": [[None if v != v else v for v in r] for r in gaps.tolist()], "K": K, "responsibilities": resp.tolist(), "evidence_prior": {**given, "covariance_prior_diag": diag, "covariance_prior_spherical": sph}},
        "expected": {"runs": runs, "evidence": {k: float(v) for k, v in exact.items()},
                     "evidence_given_labels": {k: float(v) for k, v in labelled.items()}, "evidence_of_labels": labels, "evidence_with_gaps": {k: float(v) for k, v in missing.items()}},
    }, open(os.path.join(HERE, "..", "cases", "bayesian_mixture.json"), "w"), indent=1)


if __name__ == "__main__":
    main()
