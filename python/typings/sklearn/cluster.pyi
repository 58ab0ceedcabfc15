from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

class KMeans:
    labels_: NDArray[np.int32]
    def __init__(self, n_clusters: int = ..., *, n_init: int = ..., random_state: Any = ...) -> None: ...
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self: ...

def kmeans_plusplus(
    X: Any, n_clusters: int, *, sample_weight: Any = None, random_state: Any = None
) -> tuple[NDArray[Any], NDArray[np.int64]]: ...
