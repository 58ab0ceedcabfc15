// EM by Armadillo's gmm_full or gmm_diag, from equal weights, given means and unit covariances, for tools.py:
//     armadillo full|diag double|float N D K ITERATIONS DATA MEANS RESULT
// DATA and MEANS hold the rows one after another as raw numbers of that width; RESULT gets weights, means and covariances
// as doubles. Prints the seconds of the fit, its iterations, and its memory in bytes beyond the data (-1: unknown).
#include <armadillo>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

static long status(const std::string& key)  // bytes; Linux
{
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.compare(0, key.size(), key) == 0) return std::stol(line.substr(key.size())) * 1024;
  return -1;
}

template <class T> void load(const char* path, arma::Mat<T>& x)
{
  std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(x.memptr()), x.n_elem * sizeof(T));
}

template <class A> void save(std::ofstream& file, const A& a)
{
  for (auto value : a) { const double wide = value; file.write(reinterpret_cast<const char*>(&wide), sizeof wide); }
}

template <class T> void unit(arma::Cube<T>& c, arma::uword d, arma::uword k) { c.zeros(d, d, k); c.each_slice([](arma::Mat<T>& s) { s.eye(); }); }
template <class T> void unit(arma::Mat<T>& c, arma::uword d, arma::uword k) { c.ones(d, k); }
template <class T> const arma::Cube<T>& covariances(const arma::gmm_priv::gmm_full<T>& m) { return m.fcovs; }
template <class T> const arma::Mat<T>& covariances(const arma::gmm_priv::gmm_diag<T>& m) { return m.dcovs; }

template <class Model, class Covariances, class T> int fit(char** a)
{
  const arma::uword n = std::stoul(a[3]), d = std::stoul(a[4]), k = std::stoul(a[5]), iterations = std::stoul(a[6]);
  arma::Mat<T> x(d, n), means(d, k);
  load(a[7], x);
  load(a[8], means);
  Covariances start;
  unit(start, d, k);
  arma::Row<T> weights(k);
  weights.fill(T(1) / T(k));
  Model model;
  model.set_params(means, start, weights);

  std::ofstream("/proc/self/clear_refs") << 5;  // the peak starts here
  const long before = status("VmRSS:");
  std::ostringstream log;  // the only place where Armadillo says how many iterations it did
  arma::set_cout_stream(log);
  arma::wall_clock timer;
  timer.tic();
  // A variance has a floor of 1e-6 here, where the other tools add 1e-6.
  const bool good = model.learn(x, k, arma::eucl_dist, arma::keep_existing, 0, iterations, T(1e-6), true);
  const double seconds = timer.toc();
  const long peak = status("VmHWM:");
  if (!good) { std::cerr << "Armadillo's learn() failed\n"; return 1; }
  std::size_t done = 0;
  for (std::size_t at = 0; (at = log.str().find("avg_log_p", at)) != std::string::npos; ++at) ++done;
  std::ofstream result(a[9], std::ios::binary);
  save(result, model.hefts);
  save(result, model.means);
  save(result, covariances(model));
  std::cout.precision(9);
  std::cout << seconds << ' ' << done << ' ' << (peak < 0 ? -1 : peak - before) << '\n';
  return result.good() ? 0 : 1;
}

template <class T> int fit_width(char** a)
{
  if (std::string(a[1]) == "diag") return fit<arma::gmm_priv::gmm_diag<T>, arma::Mat<T>, T>(a);
  return fit<arma::gmm_priv::gmm_full<T>, arma::Cube<T>, T>(a);
}

int main(int count, char** a)
{
  if (count == 2 && std::string(a[1]) == "--version") { std::cout << arma::arma_version::as_string() << '\n'; return 0; }
  if (count != 10) return 2;
  return std::string(a[2]) == "float" ? fit_width<float>(a) : fit_width<double>(a);
}
