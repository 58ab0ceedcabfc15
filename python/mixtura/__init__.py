"""Gaussian mixtures by Expectation-Maximization with scikit-learn's interface.

>>> import numpy as np
>>> from mixtura import GaussianMixture
>>> X = np.array([[0.0], [0.1], [0.3], [5.0], [5.2], [5.1]])
>>> fit = GaussianMixture(n_components=2, random_state=0).fit(X)
>>> fit.status_
'converged'
"""

from mixtura import teach as teach
from mixtura._bayesian import BayesianGaussianMixture
from mixtura._em import EM
from mixtura._errors import Errors
from mixtura._gaussian import GaussianMixture
from mixtura._hidden_models import BernoulliMixture, BinomialMixture, RegressionMixture
from mixtura._kmeans import KMeans
from mixtura._models import CensoredExtremeValue, CensoredNormal, GeneCounting, ProbitRegression
from mixtura._select import Selection, select
from mixtura._validation import METHODS as METHODS

__all__ = [
    "EM",
    "METHODS",
    "BayesianGaussianMixture",
    "BernoulliMixture",
    "BinomialMixture",
    "CensoredExtremeValue",
    "CensoredNormal",
    "Errors",
    "GaussianMixture",
    "GeneCounting",
    "KMeans",
    "ProbitRegression",
    "RegressionMixture",
    "Selection",
    "select",
]
