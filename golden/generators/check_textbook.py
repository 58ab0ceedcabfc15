"""Recompute a part of the textbook items with scikit-learn from the copied data, as a second route.

Usage: python check_textbook.py   (reads ../cases/textbook.json and ../data; writes nothing)
"""
import gzip, json, os, warnings
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score as ari
from sklearn.mixture import GaussianMixture

warnings.simplefilter("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
B = {i["name"]: i for i in json.load(open(os.path.join(HERE, "..", "cases", "textbook.json")))["items"]}
path = lambda f: os.path.join(HERE, "..", "data", f)
E = lambda n: B[n]["expected"]


def fit(x, w, mu, cov, tol=1e-14, **kw):
    """EM from given parameters, no regularisation; returns the model and the total log-likelihood."""
    cov = np.asarray(cov, float)
    g = GaussianMixture(len(w), weights_init=np.array(w) / np.sum(w), means_init=mu, precisions_init=np.linalg.inv(cov), reg_covar=0, tol=tol, max_iter=50000, **kw).fit(x)
    return g, float(g.score_samples(x).sum())


def same(name, a, b, tol):
    d = float(np.max(np.abs(np.asarray(a, float) - np.asarray(b, float))))
    print("%-45s differs by %.1e (allowed %.0e)" % (name, d, tol))
    assert d <= tol, name


with gzip.open(path("digits_pca41_whitened.csv.gz"), "rt") as f:
    x = np.loadtxt(f, delimiter=",")
for st, e in E("digits41_explicit_init_parity").items():
    P = {"full": np.stack([np.eye(41)] * 10), "tied": np.eye(41), "diag": np.ones((10, 41)), "spherical": np.ones(10)}[st]
    g = GaussianMixture(10, covariance_type=st, weights_init=[0.1] * 10, means_init=x[:10], precisions_init=P, tol=0, max_iter=5).fit(x)
    same("digits41 " + st + " total log-likelihood", g.score_samples(x).sum(), e["sumll"], 1e-6)
    same("digits41 " + st + " weights", g.weights_, e["weights"], 1e-10)

one = lambda f, c=0: np.genfromtxt(path(f), delimiter=",")[:, None] if c is None else np.genfromtxt(path(f), delimiter=",", skip_header=1, usecols=c)[:, None]
x = one("normal_distb_seed36788765.csv", None)
e = E("normal_distb_1d_k2")["mle"]
g, ll = fit(x, e["weights"], np.array(e["means"])[:, None], np.array(e["sds"]).reshape(-1, 1, 1) ** 2)
same("normal_distb mle loglik", ll, e["loglik"], 1e-7)
same("normal_distb mle means", g.means_.ravel(), e["means"], 2e-4)
x = one("body_weight.csv")
e = E("bdims_weight_k2")
same("body weight mean, sd", [x.mean(), x.std()], [e["mean"], e["sd"]], 1e-10)
e = e["mle"]
g, ll = fit(x, e["weights"], np.array(e["means"])[:, None], np.array(e["sds"]).reshape(-1, 1, 1) ** 2)
same("body weight mle loglik", ll, e["loglik"], 1e-7)
for j, col in enumerate(["eruptions", "waiting"]):
    x = one("faithful.csv", j)
    e = E("faithful_univariate")[col]
    g, ll = fit(x, e["pi"], np.array(e["mu"])[:, None], np.array(e["sd"]).reshape(-1, 1, 1) ** 2)
    same("faithful " + col + " loglik", ll, e["ll"], 1e-6)
x = np.array(open(path("bimodal_example.csv"), newline="").read().split("\r")[1:])
x = x[x != ""].astype(float)[:, None]
e = E("siraj_churn_bimodal")
same("bimodal mean, sd", [x.mean(), x.std()], [e["mean"], e["sd"]], 1e-8)
g, ll = fit(x, e["mle"]["pi"], np.array(e["mle"]["mu"])[:, None], np.array(e["mle"]["sd"]).reshape(-1, 1, 1) ** 2)
same("bimodal mle loglik", ll, e["mle"]["ll"], 1e-8)
x = np.loadtxt(path("blobs400.csv"), delimiter=",")
e = E("gmm_blobs400_predict_proba")["mle"]
g, ll = fit(x[:, :2], e["weights"], e["means"], e["covariances"])
same("blobs400 mle loglik", ll, e["loglik"], 1e-8)
same("blobs400 mle means", g.means_, e["means"], 1e-5)
x = np.loadtxt(path("yang_seed123.csv"), delimiter=",")
e = E("yang_400_points_k4")
g, ll = fit(x, e["mle"]["weights"], e["mle"]["means"], e["mle"]["covariances"])
same("yang mle loglik", ll, e["mle"]["loglik"], 1e-6)
x = np.loadtxt(path("qiita_seed77.csv"), delimiter=",")[:, :2]
s, e = B["qiita_kenmatsu4_gmm_seed77"]["settings"], E("qiita_kenmatsu4_gmm_seed77")
g = GaussianMixture(3, weights_init=[1 / 3] * 3, means_init=s["mu0"], precisions_init=np.stack([np.eye(2) * 10] * 3), reg_covar=0, tol=0, max_iter=24).fit(x)
same("qiita gmm after 24 steps, means", g.means_, e["after24"]["means"], 1e-8)
x = np.loadtxt(path("qiita_seed71_kmeans.csv"), delimiter=",")[:, :2]
s, e = B["qiita_kenmatsu4_kmeans_seed71"]["settings"], E("qiita_kenmatsu4_kmeans_seed71")
k = KMeans(3, init=np.array(s["init"]), n_init=1, tol=0, algorithm="lloyd").fit(x)
same("qiita k-means centres", k.cluster_centers_, e["centers"], 1e-10)
same("qiita k-means inertia", k.inertia_, e["inertia"], 1e-9)
raw = [l.split(",") for l in open(path("iris.csv")).read().split()[1:]]
x, t = np.array([r[:4] for r in raw], float), [r[4] for r in raw]
e = E("iris_gmm_ari")
g = GaussianMixture(3, n_init=10, random_state=0, tol=1e-10, max_iter=5000, reg_covar=0).fit(x)
same("iris loglik", g.score_samples(x).sum(), e["loglik"], 1e-4)
same("iris ARI", ari(t, g.predict(x)), e["ari"], 1e-9)
