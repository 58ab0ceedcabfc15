"""Draw the 20 data sets of the case ten_components_5d (10 Gaussian components in 5-D, n = 3,000 each).

Writes ../data/ten5d/seedNN.csv.gz (header x1..x5,label; values rounded to 4 decimals) and
../data/ten5d/truth.json (true parameters, Bayes-optimal accuracy on the drawn rows).
Usage: python ten5d_data.py
"""
import gzip, io, json, os, sys
import numpy as np
from scipy.stats import multivariate_normal as mvn

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "data", "ten5d")
K, D, N, BOX = 10, 5, 3000, 2.4
EIG = (0.25, 4.0)  # eigenvalues log-uniform in this range: condition number <= 16


def draw(seed):
    rng = np.random.Generator(np.random.PCG64(seed))
    w = rng.dirichlet(np.full(K, 5.0))
    mu = rng.uniform(-BOX, BOX, size=(K, D))
    cov = np.empty((K, D, D))
    for k in range(K):
        q, r = np.linalg.qr(rng.standard_normal((D, D)))
        q = q * np.sign(np.diag(r))
        e = np.exp(rng.uniform(np.log(EIG[0]), np.log(EIG[1]), size=D))
        c = (q * e) @ q.T
        cov[k] = (c + c.T) / 2
    lab = rng.choice(K, size=N, p=w)
    z = rng.standard_normal((N, D))
    L = np.linalg.cholesky(cov)
    x = mu[lab] + np.einsum("nij,nj->ni", L[lab], z)
    return w, mu, cov, lab, np.round(x, 4)


def write_gz(path, text):
    buf = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buf, mtime=0, compresslevel=9) as f:
        f.write(text.encode())
    with open(path, "wb") as f:
        f.write(buf.getvalue())


def main():
    os.makedirs(OUT, exist_ok=True)
    truth = {"K": K, "D": D, "n": N, "box": BOX, "eigenvalues_log_uniform_in": EIG, "numpy": np.__version__, "seeds": {}}
    for seed in range(20):
        w, mu, cov, lab, x = draw(seed)
        lp = np.column_stack([np.log(w[k]) + mvn(mu[k], cov[k]).logpdf(x) for k in range(K)])
        acc = float(np.mean(lp.argmax(1) == lab))
        m = lp.max(1)
        ll = float(np.sum(m + np.log(np.exp(lp - m[:, None]).sum(1))))
        rows = ["x1,x2,x3,x4,x5,label"] + [",".join("%.4f" % v for v in r) + ",%d" % l for r, l in zip(x, lab)]
        if "--dry" not in sys.argv:
            write_gz(os.path.join(OUT, "seed%02d.csv.gz" % seed), "\n".join(rows) + "\n")
        truth["seeds"]["%02d" % seed] = {"bayes_accuracy": acc, "loglik_at_truth": ll, "weights": w.tolist(), "means": mu.tolist(), "covariances": cov.tolist()}
        print(seed, acc, ll, w.min(), flush=True)
    print("mean accuracy", np.mean([t["bayes_accuracy"] for t in truth["seeds"].values()]))
    if "--dry" not in sys.argv:
        json.dump(truth, open(os.path.join(OUT, "truth.json"), "w"), indent=1)


if __name__ == "__main__":
    main()
