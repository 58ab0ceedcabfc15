//! Checkpoints: what a long fit has done so far, so that a killed one continues to the same bits.
//!
//! What is cheap to do again (the standardisation, the sample) is done again; what is kept are the starts that a race has
//! found, the states of the long runs and the results of finished replicates, by their place in the fit. Numbers are kept
//! as their bits.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::data::text_fingerprint;
use crate::error::{Error, Result};

const FORMAT: &str = "mixtura-checkpoint";
const VERSION: u32 = 1;

/// What a checkpoint is of: only the same fit of the same data may go on from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Program and version.
    pub program: String,
    /// Fingerprint of the rows.
    pub data: String,
    /// Everything else that decides the result, as text.
    pub options: String,
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u32,
    identity: Identity,
    /// SHA-256 of the entries.
    checksum: String,
    entries: BTreeMap<String, serde_json::Value>,
}

/// Collects the states of a fit's runs and hands them on as text from time to time.
pub struct Checkpoint<'a> {
    identity: Identity,
    every: Duration,
    entries: Mutex<(BTreeMap<String, serde_json::Value>, Instant)>,
    sink: &'a (dyn Fn(&str) + Sync),
}

impl std::fmt::Debug for Checkpoint<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checkpoint({:?}, every {:?})", self.identity, self.every)
    }
}

impl<'a> Checkpoint<'a> {
    /// An empty checkpoint. `sink` gets the whole text about `every` so long, from any thread, and should replace what
    /// it had.
    pub fn new(identity: Identity, every: Duration, sink: &'a (dyn Fn(&str) + Sync)) -> Self {
        Checkpoint { identity, every, entries: Mutex::new((BTreeMap::new(), Instant::now())), sink }
    }

    /// Takes over what an earlier, unfinished fit has written.
    ///
    /// # Errors
    /// [`Error::Model`] if the text is no checkpoint, is damaged, or belongs to another fit.
    pub fn resume(self, text: &str) -> Result<Self> {
        let damaged = |e| Error::Model(format!("the checkpoint is damaged or none ({e}): delete it to start anew"));
        let file: File = serde_json::from_str(text).map_err(|e| damaged(e.to_string()))?;
        if file.format != FORMAT || file.version != VERSION {
            return Err(damaged(format!("format {} version {}", file.format, file.version)));
        }
        let other = |what: &str| {
            Err(Error::Model(format!(
                "the checkpoint is of a fit {what}: continue that one, or delete the file to start anew"
            )))
        };
        if file.identity.data != self.identity.data {
            return other("of other data");
        }
        if file.identity.options != self.identity.options {
            return other("with other options");
        }
        if file.identity.program != self.identity.program {
            return other(&format!("by {}", file.identity.program));
        }
        if checksum(&file.entries) != file.checksum {
            return Err(damaged("its checksum does not match".into()));
        }
        self.entries.lock().expect("no panic while held").0 = file.entries;
        Ok(self)
    }

    /// Number of runs and replicates that it holds something of.
    pub fn len(&self) -> usize {
        self.entries.lock().expect("no panic while held").0.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, key: u64) -> Option<T> {
        let entries = self.entries.lock().expect("no panic while held");
        entries.0.get(&name(key)).and_then(|value| T::deserialize(value.clone()).ok())
    }

    /// Keeps a state; what is kept is written if the last time is long ago, or `now`.
    pub(crate) fn put<T: Serialize>(&self, key: u64, state: &T, now: bool) {
        let value = serde_json::to_value(state).expect("states are plain data");
        let mut entries = self.entries.lock().expect("no panic while held");
        entries.0.insert(name(key), value);
        if now || entries.1.elapsed() >= self.every {
            let file = File {
                format: FORMAT.to_owned(),
                version: VERSION,
                identity: self.identity.clone(),
                checksum: checksum(&entries.0),
                entries: std::mem::take(&mut entries.0),
            };
            (self.sink)(&serde_json::to_string(&file).expect("states are plain data"));
            *entries = (file.entries, Instant::now());
        }
    }

    /// How often a run should hand in its state.
    pub(crate) fn every(&self) -> Duration {
        self.every
    }
}

fn name(key: u64) -> String {
    format!("{key:016x}")
}

fn checksum(entries: &BTreeMap<String, serde_json::Value>) -> String {
    text_fingerprint(&serde_json::to_string(entries).expect("states are plain data"))
}

/// Numbers that are written as their bits, in hexadecimal: whatever they are, they come back the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits(pub(crate) Vec<f64>);

impl Serialize for Bits {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let text: String = self.0.iter().map(|x| format!("{:016x}", x.to_bits())).collect();
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("not the bits of numbers");
        if !text.is_ascii() || text.len() % 16 != 0 {
            return Err(wrong());
        }
        let one = |i: usize| u64::from_str_radix(&text[i..i + 16], 16).map(f64::from_bits).map_err(|_| wrong());
        (0..text.len()).step_by(16).map(one).collect::<std::result::Result<_, _>>().map(Bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(data: &str, options: &str) -> Identity {
        Identity { program: "p".into(), data: data.into(), options: options.into() }
    }

    #[test]
    fn comes_back_to_the_bit_and_refuses_what_is_not_its_own() {
        let text = Mutex::new(String::new());
        let sink = |t: &str| *text.lock().unwrap() = t.to_owned();
        let numbers = vec![0.1, f64::NAN, f64::NEG_INFINITY, -0.0, 5e-324];
        let made = Checkpoint::new(identity("d", "o"), Duration::ZERO, &sink);
        made.put(7, &Bits(numbers.clone()), false);
        let text = text.lock().unwrap().clone();
        let again = |d: &str, o: &str, text: &str| {
            Checkpoint::new(identity(d, o), Duration::ZERO, &|_| {}).resume(text).map(|c| c.get::<Bits>(7))
        };
        let back = again("d", "o", &text).unwrap().unwrap();
        assert!(back.0.iter().zip(&numbers).all(|(a, b)| a.to_bits() == b.to_bits()));
        for (result, word) in [
            (again("x", "o", &text), "other data"),
            (again("d", "x", &text), "other options"),
            (again("d", "o", &text.replacen("fff0", "fff1", 1)), "checksum"),
            (again("d", "o", &text[..text.len() / 2]), "damaged"),
            (again("d", "o", "{}"), "damaged"),
        ] {
            assert!(result.unwrap_err().to_string().contains(word), "{word}");
        }
    }
}
