"""Copy the textbook reference items of incomplete data (gene counting, censoring, probit) from a reference folder.

Usage: python incomplete_data.py REFERENCE_FOLDER   (the folder holding textbook.json; not part of this repository)
Writes ../cases/incomplete_data.json; the items are kept as they are. The csv that the probit item names is not copied.
"""
import json, os, sys

HERE = os.path.dirname(os.path.abspath(__file__))
src = json.load(open(os.path.join(sys.argv[1], "textbook.json")))
by = {i["name"]: i for i in src["items"]}
case = {
    "name": "incomplete_data",
    "certificate": {
        "tool": "independent numpy/scipy scripts", "version": src["versions"], "script": "golden/generators/incomplete_data.py",
        "seed": "none: nothing is random", "date": "2026-11-21", "tolerance": "in each item (key tolerance)",
        "reason_for_tolerance": "in each item (keys tolerance, status, note)",
    },
    "input": "in each item", "expected": "in each item",
    "items": [by[n] for n in ["peppered_moth", "dlr_linkage", "progressively_censored_extreme_value", "probit_em_ucla"]],
}
json.dump(case, open(os.path.join(HERE, "..", "cases", "incomplete_data.json"), "w"), indent=1)
