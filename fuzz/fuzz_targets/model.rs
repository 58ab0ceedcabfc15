#![no_main]

use mixtura::persist::SavedModel;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match SavedModel::from_json(text) {
        // What was read can be written and read again.
        Ok(saved) => assert!(SavedModel::from_json(&saved.to_json()).is_ok()),
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
