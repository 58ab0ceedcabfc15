//! NPY files.

mod common;
use common::*;
use mixtura_io::Values;

fn f8(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

const SIX: [f64; 6] = [1.5, 2.0, f64::MIN_POSITIVE, -4.0, 5.0, 7.0];

#[test]
fn shapes_and_orders() {
    let table = read(npy("'<f8'", false, "(3, 2)", &f8(&SIX)));
    assert_eq!(table.columns, ["x1", "x2"]);
    assert_eq!((values(&table), table.n_rows), (&SIX[..], 3));
    let table = read(npy("'<f8'", true, "(2, 3)", &f8(&SIX)));
    assert_eq!(values(&table), [SIX[0], SIX[2], SIX[4], SIX[1], SIX[3], SIX[5]]);
    let table = read(npy("'<f8'", false, "(6,)", &f8(&SIX)));
    assert_eq!((values(&table), table.columns.len()), (&SIX[..], 1));
    let big: Vec<u8> = SIX.iter().flat_map(|v| v.to_be_bytes()).collect();
    assert_eq!(values(&read(npy("'>f8'", false, "(3, 2)", &big))), SIX);
    assert_eq!(values(&read(gzip(&npy("'<f8'", false, "(3, 2)", &f8(&SIX))))), SIX);
}

#[test]
fn a_second_version_header() {
    let mut bytes = npy("'<f8'", false, "(6,)", &f8(&SIX));
    bytes[6] = 2;
    bytes.splice(10..10, [0, 0]);
    assert_eq!(values(&read(&bytes)), SIX);
    bytes[6] = 9;
    assert!(refusal(&bytes).contains("version 9"));
}

#[test]
fn single_precision_stays_single() {
    let data: Vec<u8> = [0.1f32, f32::NAN, 3.0, 5.0].iter().flat_map(|v| v.to_be_bytes()).collect();
    let Values::F32(got) = read(npy("'>f4'", false, "(2, 2)", &data)).values else {
        panic!("not single precision");
    };
    assert_eq!((got[0], got[2]), (0.1, 3.0));
    assert!(got[1].is_nan());
}

#[test]
fn integers_and_booleans() {
    let i2: Vec<u8> = [-5i16, 300, 7].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(values(&read(npy("'<i2'", false, "(3,)", &i2))), [-5.0, 300.0, 7.0]);
    let u4: Vec<u8> = [u32::MAX, 0].iter().flat_map(|v| v.to_be_bytes()).collect();
    assert_eq!(values(&read(npy("'>u4'", false, "(2,)", &u4))), [4294967295.0, 0.0]);
    assert_eq!(values(&read(npy("'|u1'", false, "(2,)", &[255, 1]))), [255.0, 1.0]);
    assert_eq!(values(&read(npy("'|i1'", false, "(2,)", &[255, 1]))), [-1.0, 1.0]);
    assert_eq!(values(&read(npy("'|b1'", false, "(3,)", &[1, 0, 1]))), [1.0, 0.0, 1.0]);
    let table = read(npy("'<i8'", false, "(1,)", &i64::MAX.to_le_bytes()));
    assert!(table.notes[1].contains("rounded"));
}

#[test]
fn columns_weights_and_labels() {
    let bytes = npy("'<f8'", false, "(2, 3)", &f8(&SIX));
    let mut options = columns(&["x3"]);
    options.weights_column = Some("1".into());
    let message = refusal_with(&bytes, &options);
    assert!(message.contains("row 2") && message.contains("negative"), "{message}");
    options.weights_column = Some("x3".into());
    options.label_column = Some("x2".into());
    options.columns = None;
    let table = read_with(&bytes, &options);
    assert_eq!((values(&table), table.columns.clone()), (&[1.5, -4.0][..], vec!["x1".to_string()]));
    assert_eq!(table.weights.unwrap(), [f64::MIN_POSITIVE, 7.0]);
    assert_eq!(table.labels.unwrap().names, ["2", "5"]);
}

#[test]
fn refusals() {
    let good = npy("'<f8'", false, "(3, 2)", &f8(&SIX));
    for length in 6..good.len() {
        assert!(refusal(&good[..length]).contains("ends before"), "{length}");
        let message = refusal(gzip(&good[..length]));
        assert!(message.contains("ends before"), "{length}: {message}");
    }
    assert!(refusal([&good[..], b"x"].concat()).contains("something after"));
    for (descr, shape, why) in [
        ("'|O'", "(1,)", "objects"),
        ("'<c16'", "(1,)", "complex"),
        ("'<f8'", "()", "0 dimensions"),
        ("'<f8'", "(1,1,1)", "3 dimensions"),
        ("'<f8'", "(0, 3)", "is empty"),
        ("'<f8'", "(4611686018427387904, 8)", "impossible size"),
        ("'<f8'", "(99999999999, 100)", "ends before"),
    ] {
        let bytes = npy(descr, false, shape, &[0; 8]);
        assert!(refusal(&bytes).contains(why), "{descr} {shape}");
        // From a stream whose length nobody knows.
        assert!(refusal(gzip(&bytes)).contains(why), "{descr} {shape}");
    }
    let message = refusal(npy("'<f8'", false, "(2, 2)", &f8(&[1.0, 2.0, 3.0, f64::NEG_INFINITY])));
    assert!(message.contains("row 2") && message.contains("\"x2\""), "{message}");
}
