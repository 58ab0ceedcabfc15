//! Runs the command in a folder of its own, for the other tests.
#![allow(dead_code)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The command with these arguments, split at spaces, run in the folder.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mixtura"));
        command.args(args.split_whitespace()).current_dir(self.0.path());
        command
    }

    pub(crate) fn run(&self, args: &str) -> Run {
        Run::of(self.command(args).stdin(Stdio::null()).output().unwrap(), args)
    }

    pub(crate) fn run_with_input(&self, args: &str, input: &[u8]) -> Run {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Run::of(child.wait_with_output().unwrap(), args)
    }
}

pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    args: String,
}

impl Run {
    pub(crate) fn of(output: Output, args: &str) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr), args: args.to_owned() }
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}: {}", self.args, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let run = self.ok();
        assert!(!run.out.contains("NaN"), "{}", run.out);
        serde_json::from_str(&run.out).unwrap()
    }

    /// Ended with this code, nothing on standard output, and one sentence that holds all of `words`.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}: {}{}", self.args, self.err, self.out);
        assert_eq!(self.out, "", "{}", self.args);
        let last: Vec<&str> = self.err.lines().filter(|line| line.starts_with("mixtura: ")).collect();
        assert_eq!(last.len(), 1, "{}: {}", self.args, self.err);
        for word in words {
            assert!(last[0].contains(word), "{}: no {word:?} in {:?}", self.args, last[0]);
        }
    }
}

/// Sends a signal.
#[cfg(unix)]
pub(crate) fn signal(child: &std::process::Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// A file of the repository's golden data.
pub(crate) fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/data").join(name);
    path.canonicalize().unwrap().display().to_string()
}

/// Uniform numbers from a linear congruential generator (Knuth's MMIX constants): the tests need no better.
pub(crate) struct Lcg(pub(crate) u64);

impl Lcg {
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal: the sum of twelve uniforms.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// CSV of `n` rows of columns a, b from two components, at (0, 0) and (6, 4), 2:1.
pub(crate) fn two_components(n: usize) -> String {
    let mut rng = Lcg(1);
    let mut text = "a,b\n".to_owned();
    for i in 0..n {
        let far = f64::from(u8::from(i % 3 == 0));
        let (x, y) = (rng.normal() + 6.0 * far, rng.normal() + 4.0 * far);
        writeln!(text, "{x},{y}").unwrap();
    }
    text
}

/// An NPY file of 64-bit floats.
pub(crate) fn npy(rows: usize, columns: usize, values: &[f64]) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    values.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
    bytes
}
