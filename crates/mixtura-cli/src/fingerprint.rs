//! A fingerprint of the rows of a fit, so that a model file tells whether it was made from given data.

pub(crate) use mixtura::distributed::rows_fingerprint as fingerprint;
