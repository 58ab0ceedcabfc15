//! Instructions of an EM iteration, counted by valgrind: a measure of a regression that a busy machine does not disturb.
//!
//! `cargo bench -p mixtura --bench instructions` prints instructions per row and component of the E-step (log-densities and
//! softmax), the M-step (moments) and the whole iteration (with new parameters, whose cost these 3,840 rows share), full covariance on rows
//! whose components overlap, so that nothing is left out. Floor: D² flops per half-step (triangle and symmetry used), 8 flops per
//! instruction (4 lanes, multiply and add). Valgrind knows no AVX-512: the path is AVX2. Two runs differed by 1 % at (2, 3), less elsewhere.
//!
//! With `--test` a count that is more than [`ALLOWED`] times [`RECORDED`] fails. Where valgrind (Debian: `apt install valgrind`) or
//! AVX2 is missing, the bench says so and passes.

use std::process::{Command, ExitCode, Stdio};

use mixtura::Mixture;
use mixtura::algorithm::{Algorithm, Batch};
use mixtura::data::{Dense, Rows};
use mixtura::engine::Threads;
use mixtura::family::gaussian::{Floor, Gaussian, Structure};
use mixtura::family::{Emission, TILE};
use mixtura::model::Posterior;
use mixtura_kernels::{Aligned, Isa, softmax::softmax_total};
use mixtura_testkit::rows::Random;

/// D, K, and instructions per row and component of the E-step, the M-step and the iteration, with rustc 1.95.0 on AVX2.
const RECORDED: [(usize, usize, [f64; 3]); 4] = [
    (2, 3, [29.1, 6.2, 42.0]),
    (8, 8, [65.0, 33.7, 109.0]),
    (16, 32, [142.2, 106.1, 263.0]),
    (32, 8, [416.5, 383.5, 873.2]),
];

/// Room for the choices of another compiler. Sums that leave the registers add a load and a store to each multiply-add.
const ALLOWED: f64 = 1.2;

/// Two chunks: valgrind takes some 100 times the usual time.
const ROWS: usize = 16 * TILE;

/// What a counted process does after making the data and the model.
const PARTS: [&str; 4] = ["nothing", "e-step", "both", "iteration"];

fn start(d: usize, k: usize) -> (Vec<f64>, Mixture<Gaussian>) {
    let mut r = Random::new(1);
    let rows = (0..ROWS * d).map(|_| r.normal()).collect();
    let means = (0..k * d).map(|_| 0.1 * r.normal()).collect();
    let identity: Vec<f64> =
        (0..k * d * d).map(|i| if (i % (d * d)).is_multiple_of(d + 1) { 1.0 } else { 0.0 }).collect();
    let bank = Gaussian::new(Structure::Full, d, means, identity).expect("a bank");
    (rows, Mixture::equal(bank.with_floor(Floor::none())))
}

/// Half-steps over all rows as [`Mixture`] makes them: it leaves out what is below e⁻⁶⁰.
fn half_steps(rows: &[f64], model: &Mixture<Gaussian>, moments: bool) {
    let (bank, k) = (model.emission(), model.weights().len());
    let log_weights: Vec<f64> = model.weights().iter().map(|w| w.ln()).collect();
    let (mut scratch, mut stats, mut resp) = (bank.scratch(), bank.empty_stats(), Aligned::zeros(k * TILE));
    bank.neglect(&mut scratch, Some((&log_weights, -60.0)));
    for cells in rows.chunks(TILE * bank.n_features()) {
        let tile = Rows::new(cells, bank.n_features());
        bank.log_density(tile, &mut scratch, &mut resp);
        std::hint::black_box(softmax_total(Isa::detect(), &mut resp, tile.n_rows(), &log_weights, -60.0));
        if moments {
            bank.accumulate(tile, &resp, &mut scratch, &mut stats);
        }
    }
}

fn run(part: &str, d: usize, k: usize) {
    let (rows, mut model) = start(d, k);
    match part {
        "nothing" => {}
        "iteration" => {
            let data = Dense::new(rows, d).expect("rows");
            Batch(Posterior::Soft).step(&mut model, &mut Threads::new(&data)).expect("a step");
        }
        _ => half_steps(&rows, &model, part == "both"),
    }
}

/// Instructions that this program executes for one part, start and data included.
fn count(part: &str, d: usize, k: usize) -> Result<f64, String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let out = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(own)
        .args(["run", part, &d.to_string(), &k.to_string()])
        .envs([("MIXTURA_ISA", "avx2"), ("RAYON_NUM_THREADS", "1")])
        .output()
        .map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&out.stderr);
    // ==1== I   refs:      7,784,041
    let refs = said.lines().find_map(|line| line.split_once(" refs:")).map(|(_, n)| n.trim().replace(',', ""));
    match refs.and_then(|n| n.parse().ok()) {
        Some(n) if out.status.success() => Ok(n),
        _ => Err(format!("valgrind counted nothing:\n{said}")),
    }
}

fn table(check: bool) -> Result<(), String> {
    println!("Instructions per row and component, full covariance, AVX2 (recorded in brackets)\n");
    println!("  D   K   floor/half          E-step          M-step       iteration   times floor");
    let mut worse = Vec::new();
    for (d, k, recorded) in RECORDED {
        let n = PARTS.map(|part| count(part, d, k));
        let [nothing, e, both, all] = n.map(|n| n.map(|n| n / (ROWS * k) as f64));
        let (nothing, e, both, all) = (nothing?, e?, both?, all?);
        let counts = [e - nothing, both - e, all - nothing];
        let floor = (d * d) as f64 / 8.0;
        let cells: Vec<_> = counts.iter().zip(recorded).map(|(c, r)| format!("{c:.1} ({r:.1})")).collect();
        println!(
            "{d:3} {k:3} {floor:12.1} {:>15} {:>15} {:>15} {:13.2}",
            cells[0],
            cells[1],
            cells[2],
            counts[2] / (2.0 * floor)
        );
        let names = ["E-step", "M-step", "iteration"];
        worse.extend(
            (0..3).filter(|&i| counts[i] > ALLOWED * recorded[i]).map(|i| format!("{} at D = {d}, K = {k}", names[i])),
        );
    }
    if check && !worse.is_empty() {
        return Err(format!(
            "more than {ALLOWED} times the recorded instructions: {}; find out why, or record the new counts with the reason",
            worse.join(", ")
        ));
    }
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [first, part, d, k] = &args[..]
        && first == "run"
    {
        run(part, d.parse().expect("features"), k.parse().expect("components"));
        return ExitCode::SUCCESS;
    }
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !valgrind.is_ok_and(|status| status.success()) {
        println!("instructions: passed over, valgrind is not installed");
        return ExitCode::SUCCESS;
    }
    if !Isa::available().iter().any(|isa| isa.name() == "avx2") {
        println!("instructions: passed over, the counts are of AVX2, which this machine lacks");
        return ExitCode::SUCCESS;
    }
    match table(args.iter().any(|a| a == "--test")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("instructions: {message}");
            ExitCode::FAILURE
        }
    }
}
