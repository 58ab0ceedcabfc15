"""The part of scikit-learn that the package uses: scikit-learn has no types of its own."""
