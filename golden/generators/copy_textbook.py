"""Copy the textbook reference items and data sets that mixtura's mixture and k-means tests need from a reference folder.

Usage: python copy_textbook.py REFERENCE_FOLDER   (the folder holding textbook.json and data/; not part of this repository)
Writes ../cases/textbook.json, ../data/*.csv; the items are kept as they are, only data paths are rewritten.
"""
import csv, gzip, hashlib, io, json, os, shutil, sys
import sklearn
from sklearn.datasets import load_iris

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
REF = sys.argv[1]
ITEMS = """normal_distb_1d_k2 estep_table_60x3 gm1d_10_iterations gmm_blobs400_predict_proba gmm_blobs500_50_iterations_predict
singular_collapse digits41_explicit_init_parity bdims_weight_k2 red_blue_1d qiita_kenmatsu4_gmm_seed77 qiita_kenmatsu4_kmeans_seed71
yang_400_points_k4 iris_gmm_ari siraj_churn_bimodal faithful_univariate mclust_reference_bic book_price_mixture
bayes_decision_boundary_1d coin_do_batzoglou_2008 coin_free_mixing_weights mixture_regression_NPreg""".split()

# byte-for-byte copies
for f in ["normal_distb_seed36788765.csv", "blobs400.csv", "blobs500_stretched.csv", "blobs500_collapse.csv", "qiita_seed77.csv",
          "qiita_seed71_kmeans.csv", "yang_seed123.csv", "bimodal_example.csv"]:
    shutil.copyfile(os.path.join(REF, "data", f), os.path.join(DATA, f))
with open(os.path.join(REF, "data", "digits_pca41_whitened.csv"), "rb") as f:
    raw = f.read()
buf = io.BytesIO()
with gzip.GzipFile(filename="", mode="wb", fileobj=buf, mtime=0, compresslevel=9) as g:
    g.write(raw)
with open(os.path.join(DATA, "digits_pca41_whitened.csv.gz"), "wb") as f:
    f.write(buf.getvalue())


def numbers(src, columns, dst, header):
    """Write the named columns as text (no number is reformatted) under our own header."""
    with open(os.path.join(REF, "data", src), newline="") as f:
        rows = list(csv.DictReader(f))
    with open(os.path.join(DATA, dst), "w", newline="\n") as f:
        f.write(",".join(header) + "\n")
        for r in rows:
            f.write(",".join(r[c].strip() for c in columns) + "\n")


numbers("faithful.csv", ["eruptions", "waiting"], "faithful.csv", ["eruptions", "waiting"])
numbers("body.csv", ["Weight"], "body_weight.csv", ["weight"])
numbers("galaxies.csv", ["velocity"], "galaxies.csv", ["velocity"])
numbers("mclust_acidity.csv", ["x"], "acidity.csv", ["x"])

iris = load_iris()
with open(os.path.join(DATA, "iris.csv"), "w", newline="\n") as f:
    f.write("sepal_length,sepal_width,petal_length,petal_width,species\n")
    for x, t in zip(iris.data, iris.target):
        f.write(",".join("%.1f" % v for v in x) + "," + str(iris.target_names[t]) + "\n")

src = json.load(open(os.path.join(REF, "textbook.json")))
by = {i["name"]: i for i in src["items"]}
items = []
for name in ITEMS:
    it = by[name]
    inp = it["input"]
    if isinstance(inp, dict) and "csv" in inp:
        c = inp["csv"]
        c = c.replace("data/body.csv", "data/body_weight.csv").replace("data/digits_pca41_whitened.csv", "data/digits_pca41_whitened.csv.gz")
        path, _, rest = c.partition(" ")
        inp["csv"] = "golden/" + path
        if rest:
            inp["csv_note"] = rest
    if name == "mixture_regression_NPreg":
        inp["csv"], inp["csv_note"] = "flexmix_NPreg.csv", "from R's flexmix (GPL): not part of this repository"
    if name == "bdims_weight_k2":
        inp["column"] = "weight"
    if name == "iris_gmm_ari":
        inp["csv"] = "golden/data/iris.csv"
    if name == "qiita_kenmatsu4_gmm_seed77":
        inp["generator"] = inp["generator"].replace("; see g003/batch2.py", "")
    if name == "yang_400_points_k4":
        inp["generator"] = inp["generator"].replace(", see batch2.py", "")
    if name == "mclust_reference_bic":
        inp["csv"] = {"faithful": "golden/data/faithful.csv", "iris4": "golden/data/iris.csv (4 columns)", "iris_G3": "golden/data/iris.csv (4 columns)",
                      "galaxies_over_1000": "golden/data/galaxies.csv (velocity/1000)", "acidity": "golden/data/acidity.csv",
                      "eruptions": "golden/data/faithful.csv (column eruptions)"}
        inp["data"] = "R mclust 6.0.0 / MASS / datasets; sets without a path here are not part of this repository"
    items.append(it)

    if isinstance(inp, dict) and "sha256" in inp:
        p = os.path.join(HERE, "..", "..", inp["csv"])
        assert hashlib.sha256(open(p, "rb").read()).hexdigest() == inp["sha256"], name

case = {
    "name": "textbook",
    "certificate": {
        "tool": "independent numpy/scipy/scikit-learn scripts; R mclust", "version": dict(src["versions"], mclust="6.0.0", iris="scikit-learn " + sklearn.__version__),
        "script": "golden/generators/copy_textbook.py", "seed": "named in each item", "date": "2026-11-21", "tolerance": "in each item (key tolerance)",
        "reason_for_tolerance": "in each item (keys tolerance, status, note)",
    },
    "input": "in each item", "expected": "in each item", "note": src["note"].replace("relative to this folder", "relative to the repository root"),
    "items": items,
}
json.dump(case, open(os.path.join(HERE, "..", "cases", "textbook.json"), "w"), indent=1)
print(len(items), "items")
