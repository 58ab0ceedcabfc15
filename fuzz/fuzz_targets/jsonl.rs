#![no_main]

mod read;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read::read(bytes, |b| b.trim_ascii_start().starts_with(b"{")));
