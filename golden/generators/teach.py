"""Reference values for the lessons of `mixtura teach` that no other case has: plain Python, no package.

Writes golden/cases/teach.json. Nothing here is mixtura's: EM is written out again, the limits come from closed forms or Newton's method.
"""

import json
import math
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def abo(counts=(186, 38, 13, 284), start=(0.3, 0.2, 0.5), iterations=5):
    """Gene counting, Lange's notation; the limit is where the score on the simplex is 0."""
    a, b, ab, o = counts
    n2 = 2 * sum(counts)

    def step(p, q, r):
        aa, bb = a * p / (p + 2 * r), b * q / (q + 2 * r)
        ao, bo = a - aa, b - bb
        return (2 * aa + ao + ab) / n2, (2 * bb + bo + ab) / n2, (ao + bo + 2 * o) / n2

    def score(p, q):
        r = 1 - p - q
        dr = -(2 * a / (p + 2 * r) + 2 * b / (q + 2 * r) + 2 * o / r)
        dp = a / p + a / (p + 2 * r) + ab / p
        dq = b / q + b / (q + 2 * r) + ab / q
        return dp + dr, dq + dr

    path = [start]
    for _ in range(iterations):
        path.append(step(*path[-1]))
    limit = newton(lambda v: score(*v), list(path[-1][:2]))
    return {"path": path, "mle": [*limit, 1 - sum(limit)]}


def newton(f, at):
    """A root of f: R^n -> R^n by central differences and Gaussian elimination."""
    for _ in range(40):
        n, value = len(at), f(at)
        columns = []
        for j in range(n):
            h = 1e-6 * max(1e-3, abs(at[j]))
            up, down = at[:], at[:]
            up[j] += h
            down[j] -= h
            columns.append([(u - d) / (2 * h) for u, d in zip(f(up), f(down))])
        move = solve([[columns[j][i] for j in range(n)] for i in range(n)], list(value))
        at = [x - m for x, m in zip(at, move)]
    return at


def solve(matrix, right):
    n = len(right)
    rows = [r[:] + [b] for r, b in zip(matrix, right)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(i + 1, n):
            f = rows[k][i] / rows[i][i]
            rows[k] = [x - f * y for x, y in zip(rows[k], rows[i])]
    out = [0.0] * n
    for i in reversed(range(n)):
        out[i] = (rows[i][n] - math.fsum(rows[i][j] * out[j] for j in range(i + 1, n))) / rows[i][i]
    return out


def missing():
    """The second variate of rows 9 and 10 is missing: a monotone pattern, whose estimates have a closed form (Anderson 1957)."""
    x = [8, 11, 16, 18, 6, 4, 20, 25, 9, 13]
    y = [10, 14, 16, 15, 20, 4, 18, 22]
    mean = lambda v: math.fsum(v) / len(v)
    dot = lambda u, v: math.fsum((a - mean(u)) * (b - mean(v)) for a, b in zip(u, v)) / len(u)
    xc = x[: len(y)]
    slope = dot(xc, y) / dot(xc, xc)
    rest = dot(y, y) - slope * slope * dot(xc, xc)
    m1, v1 = mean(x), dot(x, x)
    m2 = mean(y) + slope * (m1 - mean(xc))
    fill = [mean(y) + slope * (v - mean(xc)) for v in x[len(y) :]]
    return {"mle": [m1, m2, v1, slope * v1, rest + slope * slope * v1], "filled": fill, "rest": rest}


def log_tail(x):
    return math.log(0.5 * math.erfc(x / math.sqrt(2)))


def probit():
    """Beetles (Bliss 1935, Ann. Appl. Biol. 22): maximum likelihood by Newton's method."""
    dose = [1.6907, 1.7242, 1.7552, 1.7842, 1.8113, 1.8369, 1.8610, 1.8839]
    n = [59, 60, 62, 56, 63, 59, 62, 60]
    dead = [6, 13, 18, 28, 52, 53, 61, 60]
    phi = lambda z: math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    tail = lambda z: 0.5 * math.erfc(z / math.sqrt(2))
    middle = math.fsum(dose) / 8

    def terms(c, x, k, m):
        z = c[0] + c[1] * (x - middle)
        up = k * phi(z) / tail(-z)
        down = (m - k) * phi(z) / tail(z) if m > k else 0.0
        return up - down

    def score(c):
        t = [terms(c, x, k, m) for x, k, m in zip(dose, dead, n)]
        return math.fsum(t), math.fsum(v * (x - middle) for v, x in zip(t, dose))

    c = newton(score, [0.4, 19.0])
    ll = math.fsum(
        k * log_tail(-(c[0] + c[1] * (x - middle))) + (m - k) * log_tail(c[0] + c[1] * (x - middle))
        for x, k, m in zip(dose, dead, n)
    )
    return {"mle": [c[0] - c[1] * middle, c[1]], "loglik": ll}


LINES_SEED = 7


def lines_data():
    """y = 2 + 1.5 x and y = 10 - x, noise 0.6, coin tosses between them; rounded, so the file is the reference."""
    rng = random.Random(LINES_SEED)
    rows = []
    for _ in range(40):
        x = round(rng.uniform(0, 6), 2)
        y = 2 + 1.5 * x if rng.random() < 0.5 else 10 - x
        rows.append((x, round(y + rng.gauss(0, 0.6), 2)))
    return rows


def lines(rows, start=(0.0, 1.0, 8.0, 0.0, 2.0), iterations=15):
    w, ab, s = [0.5, 0.5], [list(start[:2]), list(start[2:4])], [start[4]] * 2
    path, ll_path = [], []
    for t in range(2000):
        resp, ll = [], []
        for x, y in rows:
            joint = [
                w[k] * math.exp(-0.5 * ((y - ab[k][0] - ab[k][1] * x) / s[k]) ** 2) / (s[k] * math.sqrt(2 * math.pi))
                for k in range(2)
            ]
            total = sum(joint)
            resp.append([j / total for j in joint])
            ll.append(math.log(total))
        if t <= iterations:
            path.append([*w, *ab[0], *ab[1], *s])
            ll_path.append(math.fsum(ll))
        for k in range(2):
            n = math.fsum(r[k] for r in resp)
            mx = math.fsum(r[k] * x for r, (x, _) in zip(resp, rows)) / n
            my = math.fsum(r[k] * y for r, (_, y) in zip(resp, rows)) / n
            sxx = math.fsum(r[k] * (x - mx) ** 2 for r, (x, _) in zip(resp, rows))
            sxy = math.fsum(r[k] * (x - mx) * (y - my) for r, (x, y) in zip(resp, rows))
            slope = sxy / sxx
            ab[k] = [my - slope * mx, slope]
            square = math.fsum(r[k] * (y - ab[k][0] - slope * x) ** 2 for r, (x, y) in zip(resp, rows))
            w[k], s[k] = n / len(rows), math.sqrt(square / n)
    return {"path": path, "loglik_path": ll_path, "mle": [*w, *ab[0], *ab[1], *s], "loglik": math.fsum(ll)}


if __name__ == "__main__":
    rows = lines_data()
    data = ROOT / "golden/data/two_lines.csv"
    data.write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in rows))
    case = {
        "name": "teach",
        "certificate": {
            "tool": "plain Python, no package",
            "version": sys.version.split()[0],
            "script": "golden/generators/teach.py",
            "seed": LINES_SEED,
            "date": "2026-11-22",
            "tolerance": "paths 1e-12 of their size; limits 1e-9 of theirs",
            "reason_for_tolerance": "paths are some thousand roundings at most; Newton's method stops where the score rounds",
        },
        "input": {"lines": "golden/data/two_lines.csv", "others": "in the script and in the lessons"},
        "expected": {"abo": abo(), "missing": missing(), "probit": probit(), "lines": lines(rows)},
    }
    (ROOT / "golden/cases/teach.json").write_text(json.dumps(case, indent=1) + "\n")
