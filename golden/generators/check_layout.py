"""Verify that every case file parses, carries its certificate and points to data files that exist with the recorded checksums.

Usage: python check_layout.py [--write]   (--write renews ../data/SHA256SUMS)
"""
import hashlib, json, os, re, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
DATA = os.path.join(ROOT, "golden", "data")
KEYS = {"tool", "version", "script", "seed", "date", "tolerance", "reason_for_tolerance"}

sums = {}
for d, _, files in sorted(os.walk(DATA)):
    for f in sorted(files):
        p = os.path.join(d, f)
        if f != "SHA256SUMS":
            sums[os.path.relpath(p, DATA)] = hashlib.sha256(open(p, "rb").read()).hexdigest()
path = os.path.join(DATA, "SHA256SUMS")
if "--write" in sys.argv:
    with open(path, "w", newline="\n") as f:
        for k in sorted(sums):
            f.write("%s  %s\n" % (sums[k], k))
assert open(path).read() == "".join("%s  %s\n" % (sums[k], k) for k in sorted(sums)), "data differ from SHA256SUMS"


def refuse(v):
    raise ValueError("not JSON: " + v)


cases = sorted(f for f in os.listdir(os.path.join(ROOT, "golden", "cases")) if f.endswith(".json"))
for c in cases:
    text = open(os.path.join(ROOT, "golden", "cases", c)).read()
    j = json.loads(text, parse_constant=refuse)
    assert j["name"] + ".json" == c and KEYS <= set(j["certificate"]) and "input" in j and "expected" in j, c
    for p in set(re.findall(r"golden/(?:data|generators)/[\w./]+\w", text)):
        assert os.path.exists(os.path.join(ROOT, p)), (c, p)
print(len(cases), "cases,", len(sums), "data files: all in order")
