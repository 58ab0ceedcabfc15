"""Draws docs/picture.svg, the README's picture, from what the command prints.

Usage: python docs/picture.py [path of the mixtura command]   (needs numpy and matplotlib; run in the repository's root)
"""

import gzip
import io
import json
import subprocess
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]  # Okabe & Ito: apart for colour-blind eyes too


def fit(path, *flags):
    command = sys.argv[1] if len(sys.argv) > 1 else "target/release/mixtura"
    out = subprocess.run([command, "fit", path, "--json", *flags], check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def responsibilities(model, rows):
    logs = []
    for w, m, c in zip(model["weights"], model["means"], model["covariances"]):
        z = np.linalg.solve(np.linalg.cholesky(np.array(c)), (rows - m).T)
        logs.append(np.log(w) - 0.5 * (z**2).sum(0) - 0.5 * np.linalg.slogdet(np.array(c))[1])
    p = np.exp(np.array(logs).T - np.max(logs, axis=0)[:, None])
    return p / p.sum(1, keepdims=True)


def draw(axes, rows, result, title):
    model = result["model"]
    resp = responsibilities(model, rows)
    base = np.array([matplotlib.colors.to_rgb(c) for c in COLOURS[: model["n_components"]]])
    axes.scatter(*rows.T, s=9, c=resp @ base, alpha=0.75, linewidths=0)
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.array([np.cos(angle), np.sin(angle)])
    for k, colour in zip(range(model["n_components"]), COLOURS):
        for mass in (0.5, 0.95):
            # A Gaussian in the plane has the mass 1 - exp(-r²/2) within r standard deviations.
            radius = np.sqrt(-2 * np.log(1 - mass))
            ring = np.array(model["means"][k])[:, None] + radius * np.linalg.cholesky(model["covariances"][k]) @ circle
            axes.plot(*ring, color=colour, lw=1.4 if mass == 0.5 else 0.9)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(model["columns"][0])
    axes.set_ylabel(model["columns"][1])
    axes.spines[["top", "right"]].set_visible(False)


def main():
    matplotlib.rcParams.update({"font.size": 9, "svg.hashsalt": "mixtura", "svg.fonttype": "path"})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), constrained_layout=True)
    rows = np.genfromtxt("golden/data/faithful.csv", delimiter=",", skip_header=1)
    result = fit("golden/data/faithful.csv", "-k", "2", "--covariance", "full")
    draw(left, rows, result, f"Old Faithful: {result['log_likelihood']:.3f} nats, rings of 50 and 95 % mass")
    with gzip.open("golden/data/ellipses/seed00.csv.gz", "rt") as file:
        rows = np.genfromtxt(io.StringIO(file.read()), delimiter=",", skip_header=1)[:, :2]
    result = fit("golden/data/ellipses/seed00.csv.gz", "--columns", "1,2")
    best = min((c for c in result["selection"] if c["bic"] is not None), key=lambda c: c["bic"])
    draw(right, rows, result, f"Two thin parallel clusters: BIC chooses K = {best['n_components']}")
    figure.savefig("docs/picture.svg", metadata={"Date": None})


main()
