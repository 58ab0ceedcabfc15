"""A sparse vector autoregression seen through measurement noise: who drives whom, where nothing is measured exactly.

x_t = A x_{t-1} + w_t and y_t = x_t + v_t with Gaussian noise of variances q and r per series, and a Laplace prior on
the influences A_ij (i != j): most are exactly 0. Plain regression of y_t on y_{t-1} would shrink A towards 0 by the
noise (errors in variables). E-step: Kalman filter and smoother (Shumway & Stoffer 1982). M-step: a lasso for each row
of A, by coordinate descent on the smoothed moments, then the variances: each raises what EM climbs, in turn (Meng &
Rubin 1993).

    python examples/sparse_var.py
"""

import numpy as np
from mixtura import EM


class SparseVAR(EM):
    """Parameters: influence (d x d), process and measurement variances (d each). Data: an array of times x series."""

    parameters = {"influence": "real", "process": "positive", "measurement": "positive"}

    def __init__(self, n_series, penalty=0.0, first=1.0):
        self.penalty, self.first = penalty, first  # of the prior; variance of x_0
        self.influence = 0.5 * np.eye(n_series)
        self.process = self.measurement = np.ones(n_series)

    def log_prior(self):
        off_diagonal = self.influence[~np.eye(len(self.influence), dtype=bool)]
        return -self.penalty * np.abs(off_diagonal).sum()

    def e_step(self, y):
        """Smooth; return the moments of x_t with itself and with x_{t-1}, and the log-likelihood by innovations."""
        n, d = y.shape
        a, q, r = self.influence, np.diag(self.process), np.diag(self.measurement)
        ahead, ahead_p, mean, cov = np.zeros((n, d)), np.zeros((n, d, d)), np.zeros((n, d)), np.zeros((n, d, d))
        m, p = np.zeros(d), self.first * np.eye(d)
        log_likelihood = -0.5 * n * d * np.log(2 * np.pi)
        for t in range(n):
            if t > 0:
                m, p = a @ m, a @ p @ a.T + q
            ahead[t], ahead_p[t] = m, p
            s = p + r
            gain = np.linalg.solve(s, p).T
            innovation = y[t] - m
            log_likelihood -= 0.5 * (np.linalg.slogdet(s)[1] + innovation @ np.linalg.solve(s, innovation))
            m, p = m + gain @ innovation, p - gain @ p
            mean[t], cov[t] = m, p
        now, past, cross = np.zeros((d, d)), np.zeros((d, d)), np.zeros((d, d))
        for t in range(n - 2, -1, -1):
            back = np.linalg.solve(ahead_p[t + 1], a @ cov[t]).T
            later = cov[t + 1]  # smoothed already
            mean[t] += back @ (mean[t + 1] - ahead[t + 1])
            cov[t] += back @ (later - ahead_p[t + 1]) @ back.T
            now += later + np.outer(mean[t + 1], mean[t + 1])
            past += cov[t] + np.outer(mean[t], mean[t])
            cross += later @ back.T + np.outer(mean[t + 1], mean[t])
        seen = ((y - mean) ** 2).mean(axis=0) + np.einsum("tii->i", cov) / n
        return (now, past, cross, seen, n), log_likelihood

    def m_step(self, stats):
        now, past, cross, seen, n = stats
        a, q = self.influence.copy(), self.process.copy()
        for i in range(len(a)):
            for j in [*range(len(a))] * 5:  # five sweeps; any number of them raises the objective
                rest = cross[i, j] - a[i] @ past[:, j] + a[i, j] * past[j, j]
                threshold = 0.0 if i == j else self.penalty * q[i]
                a[i, j] = np.sign(rest) * max(abs(rest) - threshold, 0.0) / past[j, j]
            q[i] = (now[i, i] - 2 * a[i] @ cross[i] + a[i] @ past @ a[i]) / (n - 1)
        self.influence, self.process, self.measurement = a, q, seen


def simulate(seed, n=500):
    """Draw a network of six series with five influences, and what is measured of it."""
    rng = np.random.default_rng(seed)
    influence = 0.6 * np.eye(6)
    for i, j, strength in [(1, 0, 0.5), (2, 1, -0.5), (3, 2, 0.4), (4, 0, -0.4), (5, 4, 0.5)]:
        influence[i, j] = strength
    x = np.zeros((n, 6))
    x[0] = rng.normal(size=6)
    for t in range(1, n):
        x[t] = influence @ x[t - 1] + rng.normal(size=6)
    return x + 0.7 * rng.normal(size=x.shape), influence


if __name__ == "__main__":
    y, truth = simulate(seed=1)
    model = SparseVAR(6, penalty=15.0).fit(y, tol=0.01)
    print(f"{model.status_} after {model.n_iter_} iterations, {model.certificate_['detail']}")
    print("influences\n", model.influence.round(2), "\ntruth\n", truth)
    print("measurement variances (truth 0.49)", model.measurement.round(2))
