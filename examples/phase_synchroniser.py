"""A code-aided phase synchroniser: the carrier phase and the noise of a coded signal, without pilot symbols.

r_k = a_k exp(j phase) + n_k, a_k = +1 or -1 the bits of a convolutional code word (generators 7 and 5, octal), n_k
complex Gaussian of variance `noise`. The hidden part is the code word. E-step: forward-backward on the code's trellis
gives the expected symbols (Bahl, Cocke, Jelinek & Raviv 1974). M-step: the phase of their correlation with the signal
(Noels et al. 2003, turbo synchronisation). Without the code half a turn could not be told; with it, a start far off
may end in another optimum, which the restarts show.

    python examples/phase_synchroniser.py
"""

import numpy as np
from mixtura import EM

STATES = 4
#: From state s (the last two bits, newest first) and bit b: the state reached, and the two coded symbols.
NEXT = np.array([[(b << 1) | (s >> 1) for b in (0, 1)] for s in range(STATES)])
BITS = np.array([[[b ^ (s >> 1) ^ (s & 1), b ^ (s & 1)] for b in (0, 1)] for s in range(STATES)])
SYMBOLS = 1 - 2 * BITS


def encode(bits):
    """Return the symbols of a word; two zero bits at its end lead back to state 0."""
    state, out = 0, []
    for b in [*bits, 0, 0]:
        out.extend(SYMBOLS[state, b])
        state = NEXT[state, b]
    return np.array(out)


def decode(llr):
    """Return E[symbols] and log of the mean over all words of exp(symbols @ llr / 2), for log-odds of +1 against -1."""
    steps = llr.reshape(-1, 2)
    n = len(steps)
    # Log-weight of every branch: time x state x bit. The last two bits are known zeros, the others even.
    branch = 0.5 * np.einsum("sbi,ti->tsb", SYMBOLS, steps)
    branch[:-2] -= np.log(2)
    branch[-2:, :, 1] = -np.inf
    ahead = np.full((n + 1, STATES), -np.inf)
    behind = np.full((n + 1, STATES), -np.inf)
    ahead[0, 0] = behind[n, 0] = 0.0
    into = [np.argwhere(NEXT == s) for s in range(STATES)]
    origin, bit = np.array([i[:, 0] for i in into]), np.array([i[:, 1] for i in into])
    for t in range(n):
        ahead[t + 1] = np.logaddexp.reduce(ahead[t, origin] + branch[t, origin, bit], axis=1)
    for t in range(n - 1, -1, -1):
        behind[t] = np.logaddexp.reduce(branch[t] + behind[t + 1, NEXT], axis=1)
    total = ahead[n, 0]
    posterior = np.exp(ahead[:-1, :, None] + branch + behind[1:][:, NEXT] - total)
    return np.einsum("tsb,sbi->ti", posterior, SYMBOLS).ravel(), total


class PhaseSynchroniser(EM):
    """Parameters: phase (radians), noise (variance). Data: the complex samples of one code word."""

    parameters = {"phase": "real", "noise": "positive"}
    phase, noise = 0.0, 1.0

    def start(self, rng):
        self.phase, self.noise = rng.uniform(-np.pi, np.pi), 1.0

    def e_step(self, samples):
        llr = 4 * (samples * np.exp(-1j * self.phase)).real / self.noise
        symbols, log_mean = decode(llr)
        energy = (np.abs(samples) ** 2).sum()
        n = len(samples)
        log_likelihood = -n * np.log(np.pi * self.noise) - (energy + n) / self.noise + log_mean
        return (symbols @ samples, energy, n), log_likelihood

    def m_step(self, stats):
        correlation, energy, n = stats
        self.phase = float(np.angle(correlation))
        self.noise = (energy - 2 * abs(correlation) + n) / n


def receive(seed, n_bits=50, noise=0.5):
    """Draw a word, a phase and the samples received."""
    rng = np.random.default_rng(seed)
    symbols = encode(rng.integers(0, 2, n_bits))
    phase = rng.uniform(-np.pi, np.pi)
    disturbance = rng.normal(size=(2, len(symbols))) * np.sqrt(noise / 2)
    return symbols * np.exp(1j * phase) + disturbance[0] + 1j * disturbance[1], phase


if __name__ == "__main__":
    samples, truth = receive(seed=1)
    model = PhaseSynchroniser().fit(samples, random_state=0)
    print(f"phase {model.phase:.3f} (truth {truth:.3f}), noise {model.noise:.3f} (truth 0.5), {model.status_}")
    for objective, count in model.certificate_["modes"]:
        print(f"{count} of 8 runs at {objective:.2f} nats")
