"""Every method of the catalog, through the estimators."""

import numpy as np
import pytest
from mixtura import METHODS, BinomialMixture, GaussianMixture, GeneCounting

ROWS = np.concatenate([np.random.default_rng(3).normal(m, 1.0, (150, 2)) for m in (0.0, 4.0)])
HEADS = np.random.default_rng(4).binomial(20, np.repeat([0.2, 0.7], 60)).astype(float)


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_reaches_the_optimum_of_em(method):
    em = GaussianMixture(2, method="em", random_state=0).fit(ROWS)
    fit = GaussianMixture(2, method=method, random_state=0).fit(ROWS)
    assert fit.converged_
    # Both stop 0.001 nats short; classification EM is biased downwards.
    assert abs(fit.objective_ - em.objective_) < 0.01 or (method == "cem" and fit.objective_ < em.objective_)
    coins = BinomialMixture(2, flips=20, method=method, random_state=0)
    if method == "split-merge":
        with pytest.raises(ValueError, match="for Gaussian mixtures"):
            coins.fit(HEADS)
    else:
        assert coins.fit(HEADS).converged_


def test_names_that_are_not_there_and_rules_that_do_not_fit():
    with pytest.raises(ValueError, match="'method'"):
        GaussianMixture(2, method="newton").fit(ROWS)
    with pytest.raises(ValueError, match="plain EM"):
        GaussianMixture(2, method="anderson", tol=1e-3).fit(ROWS)
    with pytest.raises(ValueError, match="classification EM is for mixtures"):
        GeneCounting("A,AA|AO,186\nO,OO,120", method="cem").fit()
