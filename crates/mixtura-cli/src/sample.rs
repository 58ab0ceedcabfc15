//! `mixtura sample`: rows drawn from a saved model.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use mixtura::Seed;
use mixtura::family::Emission;

use crate::failure::{Failure, INTERRUPTED};
use crate::{interrupt, model_file, output};

const EXAMPLES: &str = "\
Examples:
  mixtura sample iris.mixtura.json -n 1000 --seed 1 --out new.csv
  mixtura sample iris.mixtura.json -n 5 --with-component";

/// Draw rows from a saved model, as CSV
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Model file
    model: PathBuf,
    /// Number of rows
    #[arg(short = 'n', value_name = "N")]
    n: u64,
    /// Seed: the same one gives the same rows
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Add the component that each row was drawn from, as the last column
    #[arg(long)]
    with_component: bool,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
}

/// Rows between two looks at Ctrl-C.
const ROWS_PER_LOOK: u64 = 4096;

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    output::spare_inputs(args.out.as_ref(), &[&args.model])?;
    output::check_table(args.out.as_deref())?;
    let model = model_file::read(&args.model)?;
    if args.with_component && model.columns.iter().any(|name| name == "component") {
        return Err(Failure::usage("the model has a column named 'component' itself: leave out --with-component"));
    }
    let stop = interrupt::polled();
    let written = output::write(args.out.as_deref(), |out| {
        let mut header: Vec<String> = model.columns.iter().map(|name| output::csv_name(name)).collect();
        if args.with_component {
            header.push("component".to_owned());
        }
        writeln!(out, "{}", header.join(","))?;
        let mut rng = Seed::new(args.seed).rng();
        let mut row = vec![0.0; model.model.emission().n_features()];
        let mut line = Vec::new();
        for i in 0..args.n {
            if i % ROWS_PER_LOOK == 0 && stop.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(io::Error::from(ErrorKind::Interrupted));
            }
            let component = model.model.sample(&mut rng, &mut row);
            line.clear();
            for (j, &x) in row.iter().enumerate() {
                if j > 0 {
                    line.push(b',');
                }
                output::number(&mut line, x)?;
            }
            if args.with_component {
                line.extend(format!(",{component}").bytes());
            }
            line.push(b'\n');
            out.write_all(&line)?;
        }
        Ok(())
    });
    if interrupt::requested() {
        return Err(Failure::new(INTERRUPTED, "interrupted: the sample is not complete"));
    }
    written
}
