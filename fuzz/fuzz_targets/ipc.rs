#![no_main]

mod read;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read::read(bytes, |b| b.starts_with(b"ARROW1") || b.starts_with(&[0xff; 4])));
