//! Replays the seeds of the fuzz targets and small damages of each: no panic, and every refusal is one line.

mod common;
use std::fs;
use std::path::PathBuf;

use common::read_bytes_with;
use mixtura_io::ReadOptions;

/// All seeds and regressions of the readers.
fn seeds() -> Vec<(PathBuf, Vec<u8>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let mut found = Vec::new();
    for target in ["csv", "jsonl", "npy", "parquet", "ipc"] {
        for entry in fs::read_dir(root.join(target)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    assert!(found.len() >= 25, "{}", found.len());
    found
}

fn try_out(bytes: &[u8], what: &dyn Fn() -> String) {
    let all = ReadOptions::default();
    let spooled = ReadOptions { memory: Some(1), label_column: Some("1".into()), ..ReadOptions::default() };
    for options in [all, spooled] {
        match read_bytes_with(bytes, &options) {
            Ok(table) => assert!(table.n_rows > 0 && !table.columns.is_empty(), "{}", what()),
            Err(error) => {
                let message = error.to_string();
                let short = message.chars().count() < 600;
                assert!(short && !message.contains(|c: char| c.is_control()), "{}: {message}", what());
            }
        }
    }
}

#[test]
fn seeds_never_panic() {
    for (path, bytes) in seeds() {
        try_out(&bytes, &|| path.display().to_string());
    }
}

/// The next number of a SplitMix64 sequence.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as usize >> 1
}

/// Some damage: flipped bits, bytes with values that sizes do not like, a cut, a piece doubled or left out.
fn damage(bytes: &[u8], state: &mut u64) -> Vec<u8> {
    let mut bad = bytes.to_vec();
    for _ in 0..1 + next(state) % 3 {
        if bad.is_empty() {
            break;
        }
        let at = next(state) % bad.len();
        let end = (at + 1 + next(state) % 16).min(bad.len());
        match next(state) % 6 {
            0 | 1 => bad[at] ^= 1 << (next(state) % 8),
            2 => bad[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][next(state) % 6],
            3 => bad.truncate(at),
            4 => {
                let piece = bad[at..end].to_vec();
                bad.splice(at..at, piece);
            }
            _ => drop(bad.drain(at..end)),
        }
    }
    bad
}

#[test]
fn damaged_seeds_never_panic() {
    let rounds = std::env::var("MIXTURA_DAMAGES").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    for (path, bytes) in seeds() {
        let mut state = 20_261_121;
        for round in 0..rounds {
            let bad = damage(&bytes, &mut state);
            try_out(&bad, &|| format!("{} damaged, round {round}", path.display()));
        }
    }
}
