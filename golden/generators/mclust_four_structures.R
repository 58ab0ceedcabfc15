# Fit the four covariance structures VVV, EEE, VVI, VII (1-D: V, E) with R mclust for G = 1..9 and print JSON numbers.
# Usage: Rscript mclust_four_structures.R CSV "col,col,..." divisor tolerance
# Called by mclust_four_structures.py. The start is mclust's own (model-based hierarchical clustering; 1-D: quantiles).
suppressMessages(library(mclust))
a <- commandArgs(trailingOnly = TRUE)
x <- as.matrix(read.csv(a[1])[, strsplit(a[2], ",")[[1]], drop = FALSE]) / as.numeric(a[3])
d <- ncol(x)
models <- if (d == 1) c("V", "E") else c("VVV", "EEE", "VVI", "VII")
ctl <- emControl(tol = c(as.numeric(a[4]), sqrt(.Machine$double.eps)), itmax = c(1000000L, .Machine$integer.max))
num <- function(v) if (is.null(v) || length(v) == 0 || is.na(v)) "null" else sprintf("%.17g", v)
vec <- function(v) paste0("[", paste(sprintf("%.17g", v), collapse = ","), "]")
out <- c()
for (m in models) {
  row <- sapply(1:9, function(G) {
    f <- tryCatch(suppressWarnings(Mclust(x, G = G, modelNames = m, control = ctl, verbose = FALSE)), error = function(e) NULL)
    if (is.null(f) || is.null(f$loglik) || is.na(f$loglik)) return("null")
    v <- f$parameters$variance
    s <- if (d == 1) rep(v$sigmasq, length.out = G) else as.vector(v$sigma)
    sprintf('{"loglik": %s, "pro": %s, "mean": %s, "sigma": %s}', num(f$loglik), vec(if (G == 1) 1 else f$parameters$pro), vec(as.vector(f$parameters$mean)), vec(s))
  })
  out <- c(out, sprintf('"%s": [%s]', m, paste(row, collapse = ", ")))
}
cat(sprintf('{"n": %d, "d": %d, "mclust": "%s", "R": "%s", "fits": {%s}}\n', nrow(x), d, packageVersion("mclust"), paste(R.version$major, R.version$minor, sep = "."), paste(out, collapse = ", ")))
