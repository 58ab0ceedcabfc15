# Standard errors of mixtures by R's own tools: the Hessian of the log-likelihood by numDeriv (Richardson extrapolation), mclust's
# bootstrap, flexmix's information matrix.
#
# Usage: Rscript standard_errors.R   Writes ../cases/standard_errors.json. Debian packages: r-cran-numderiv r-cran-mclust r-cran-flexmix.
suppressPackageStartupMessages({library(mclust); library(flexmix); library(numDeriv)})
options(digits = 17)
num <- function(x) paste0("[", paste(sprintf("%.17g", x), collapse = ", "), "]")

# Σ log of the row sums of exp(columns).
total <- function(logs) { top <- apply(logs, 1, max); sum(top + log(rowSums(exp(logs - top)))) }
lower <- function(s) t(s)[upper.tri(s, diag = TRUE)] # row by row of the lower triangle

# Newton's method on the exact log-likelihood from an EM solution, so that the point is a stationary one to rounding.
polish <- function(f, theta) {
  # First steps of 1 % of a parameter: with the package's 10 % covariances are no longer positive definite.
  h <- function(theta) hessian(f, theta, method.args = list(d = 0.01, r = 6))
  for (i in 1:4) theta <- theta - solve(h(theta), grad(f, theta))
  list(theta = theta, se = sqrt(diag(solve(-h(theta)))), loglik = f(theta))
}

# Free parameters: weights but the last, means component by component, lower triangles row by row.
gaussian <- function(x, g, labels) {
  x <- as.matrix(x); d <- ncol(x); t <- d * (d + 1) / 2
  fit <- me(x, modelName = "VVV", z = unmap(labels), control = emControl(tol = c(1e-14, 1e-14), itmax = c(1e5, 1e5)))
  keep <- order(-fit$parameters$pro)
  s <- fit$parameters$variance$sigma
  theta <- c(fit$parameters$pro[keep][-g], fit$parameters$mean[, keep], sapply(keep, function(k) lower(s[, , k])))
  f <- function(theta) {
    pro <- theta[seq_len(g - 1)]; pro <- c(pro, 1 - sum(pro))
    logs <- sapply(1:g, function(k) {
      mu <- theta[g - 1 + (k - 1) * d + 1:d]
      v <- theta[g - 1 + g * d + (k - 1) * t + 1:t]
      s <- matrix(0, d, d); s[upper.tri(s, diag = TRUE)] <- v; s <- s + t(s) - diag(diag(s), d)
      r <- backsolve(chol(s), t(x) - mu, transpose = TRUE)
      log(pro[k]) - 0.5 * colSums(r^2) - sum(log(diag(chol(s)))) - d / 2 * log(2 * pi)
    })
    total(logs)
  }
  polish(f, theta)
}
faithful2 <- gaussian(faithful, 2, ifelse(faithful$eruptions < 3, 2, 1))
iris2 <- gaussian(iris[, 1:4], 2, ifelse(iris$Species == "setosa", 2, 1))

set.seed(20261122)
model <- Mclust(faithful, G = 2, modelNames = "VVV", verbose = FALSE)
keep <- order(-model$parameters$pro)
boot <- function(type) {
  s <- summary(MclustBootstrap(model, nboot = 999, type = type, verbose = FALSE), what = "se")
  c(s$pro[keep][-2], s$mean[, keep], sapply(keep, function(k) lower(s$variance[, , k])))
}
bs <- boot("bs"); wlbs <- boot("wlbs"); pb <- boot("pb")

curves <- read.csv("../data/regression_curves.csv")
up <- as.numeric(residuals(lm(y ~ x, curves)) > 0)
fm <- flexmix(y ~ x + I(x^2), data = curves, k = 2, cluster = cbind(0.9 * up + 0.1 * (1 - up), 0.1 * up + 0.9 * (1 - up)),
              control = list(minprior = 0, iter.max = 5000, tolerance = 1e-12))
refitted <- refit(fm, method = "optim")
flexmix_se <- unlist(lapply(refitted@components[[1]], function(c) c[, "Std. Error"]))
flexmix_coef <- unlist(lapply(refitted@components[[1]], function(c) c[, "Estimate"]))
# The exact Hessian: weight, coefficients by component, noise variances.
x <- model.matrix(y ~ x + I(x^2), curves)
lines <- function(theta) {
  logs <- sapply(1:2, function(k) log(c(theta[1], 1 - theta[1])[k]) +
    dnorm(curves$y, x %*% theta[1 + (k - 1) * 3 + 1:3], sqrt(theta[7 + k]), log = TRUE))
  total(logs)
}
p <- parameters(fm); keep <- order(-prior(fm))
regression <- polish(lines, c(prior(fm)[keep][1], p[1:3, keep], p[4, keep]^2))

item <- function(name, f) sprintf('  "%s": {"loglik": %.17g, "estimates": %s, "standard_errors": %s}', name, f$loglik, num(f$theta), num(f$se))
cat(paste0('{
 "name": "standard_errors",
 "certificate": {"tool": "R: numDeriv ', packageVersion("numDeriv"), ", mclust ", packageVersion("mclust"), ", flexmix ", packageVersion("flexmix"),
 '", "version": "', R.version$major, ".", R.version$minor, '", "script": "golden/generators/standard_errors.R", "seed": "20261122", "date": "', format(Sys.Date()),
 '", "tolerance": "numDeriv: 1e-5 relative; bootstrap of 999 replicates: a standard error is known to about 1/sqrt(2*999) = 2.2 %, two of them differ by up to 5 * 3.2 % = 16 %", "reason_for_tolerance": "Richardson extrapolation of second differences keeps about 8 digits of the Hessian, and its condition number costs some; the bootstrap figures are Monte Carlo"},
 "input": {"faithful": "golden/data/faithful.csv, K = 2", "iris": "golden/data/iris.csv, K = 2", "curves": "golden/data/regression_curves.csv, y ~ 1 + x + x^2, K = 2", "order": "weights but the last (largest component first), means, lower triangles row by row; curves: weight, coefficients, noise variances"},
 "expected": {
', item("faithful", faithful2), ",\n", item("iris", iris2), ",\n", item("curves", regression), ',
  "mclust_bootstrap_faithful": {"replicates": 999, "nonparametric": ', num(bs), ', "weighted_likelihood": ', num(wlbs), ', "parametric": ', num(pb), '},
  "flexmix_curves": {"names": ["', paste(names(flexmix_coef), collapse = '", "'), '"], "coefficients": ', num(flexmix_coef), ', "standard_errors": ', num(flexmix_se), '}
 }
}
'), file = "../cases/standard_errors.json")
