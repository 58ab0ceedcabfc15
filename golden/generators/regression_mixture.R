# EM for mixtures of linear regressions with R's own weighted least squares (lm.wfit, a QR decomposition): two data sets made here.
#
# Usage: Rscript regression_mixture.R   Writes ../data/regression_{curves,origin}.csv and ../cases/regression_mixture.json.
options(digits = 17)
num <- function(x) paste0("[", paste(sprintf("%.17g", x), collapse = ", "), "]")
sec <- function(m) paste0("[", paste(apply(m, 1, num), collapse = ", "), "]")

em <- function(formula, data, w, r) {
  k <- ncol(r); old <- -Inf; path <- c()
  x <- model.matrix(formula, data); y <- data$y
  for (it in 1:5000) {
    mix <- colSums(w * r) / sum(w)
    fits <- lapply(1:k, function(c) lm.wfit(x, y, w * r[, c]))
    sds <- sapply(1:k, function(c) sqrt(sum(w * r[, c] * residuals(fits[[c]])^2) / sum(w * r[, c])))
    logs <- sapply(1:k, function(c) log(mix[c]) + dnorm(residuals(fits[[c]]), 0, sds[c], log = TRUE))
    top <- apply(logs, 1, max)
    total <- top + log(rowSums(exp(logs - top)))
    r <- exp(logs - total)
    loglik <- sum(w * total)
    path <- c(path, loglik)
    if (it > 20 && loglik - old < 1e-12) break
    old <- loglik
  }
  coefs <- t(sapply(fits, coef))
  list(loglik = loglik, coefs = coefs, sds = sds, weights = mix, path = path[1:10], iterations = it)
}

item <- function(name, f) sprintf(
  '  "%s": {"loglik": %.17g, "coefficients": %s, "sds": %s, "weights": %s, "first_log_likelihoods": %s, "iterations": %d}',
  name, f$loglik, sec(f$coefs), num(f$sds), num(f$weights), num(f$path), f$iterations)

set.seed(20261122)
n <- 200
x <- round(runif(n, 0, 10), 3)
z <- rbinom(n, 1, 0.45)
y <- round(ifelse(z == 1, 15 + 10 * x - x^2, 5 * x) + rnorm(n, 0, 3), 3)
curves <- data.frame(x = x, y = y)
write.csv(curves, "../data/regression_curves.csv", row.names = FALSE, quote = FALSE)
# The first responsibilities: above and below the one line of all rows.
up <- as.numeric(residuals(lm(y ~ x, curves)) > 0)
a <- em(y ~ x + I(x^2), curves, rep(1, n), cbind(0.9 * up + 0.1 * (1 - up), 0.1 * up + 0.9 * (1 - up)))

n <- 120
u <- round(rnorm(n, 1000, 5), 2); v <- round(rnorm(n, -2, 1), 3)
z <- rbinom(n, 1, 0.6)
y <- round(ifelse(z == 1, 0.02 * u + 3 * v, 0.01 * u - 1 * v) + rnorm(n, 0, ifelse(z == 1, 1, 0.5)), 3)
w <- sample(c(0.5, 1, 2, 3), n, TRUE)
origin <- data.frame(u = u, v = v, y = y, weight = w)
write.csv(origin, "../data/regression_origin.csv", row.names = FALSE, quote = FALSE)
up <- as.numeric(residuals(lm(y ~ u + v - 1, origin)) > 0)
b <- em(y ~ u + v - 1, origin, w, cbind(0.9 * up + 0.1 * (1 - up), 0.1 * up + 0.9 * (1 - up)))

cat(paste0('{
 "name": "regression_mixture",
 "certificate": {"tool": "R, stats::lm.wfit and stats::dnorm", "version": "', R.version$major, ".", R.version$minor,
 '", "script": "golden/generators/regression_mixture.R", "seed": "20261122", "date": "', format(Sys.Date()),
 '", "tolerance": "log-likelihood 1e-9; parameters 1e-5 of their standard errors, some 1e-5 of the noise", "reason_for_tolerance": "EM stops when a step gains less than 1e-12 nats: with a rate below 0.95 less than 2e-11 remain, and parameters are within 1e-5 of their standard errors"},
 "input": {"curves": "golden/data/regression_curves.csv (y ~ 1 + x + x^2; responsibilities 0.9 / 0.1 above the line of all rows)", "origin": "golden/data/regression_origin.csv (y ~ u + v without intercept, case weights)"},
 "expected": {
', item("curves", a), ",\n", item("origin", b), '
 }
}
'), file = "../cases/regression_mixture.json")
