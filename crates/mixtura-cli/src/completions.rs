//! `mixtura completions`: completion of commands and flags for a shell.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::failure::Failure;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  mixtura completions bash > ~/.local/share/bash-completion/completions/mixtura
  mixtura completions zsh > ~/.zfunc/_mixtura
  mixtura completions fish > ~/.config/fish/completions/mixtura.fish";

/// Print a script that completes commands and flags in your shell
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut crate::Cli::command(), "mixtura", &mut script);
    output::print(|out| out.write_all(&script))
}
