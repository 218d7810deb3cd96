//! The examples that read what others wrote: they show what is in the files, where it is, and get over
//! broken ones.
//!
//! `checkpoint/make.py` made the checkpoints, with PyTorch itself.

use std::path::Path;

#[allow(dead_code, reason = "main is not called")]
#[path = "../examples/checkpoint/main.rs"]
mod checkpoint;

#[cfg(all(feature = "ndarray", feature = "derive"))]
#[allow(dead_code, reason = "main is not called")]
#[path = "../examples/numpy.rs"]
mod numpy;

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoint").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the example prints.
fn shown(file: &[u8]) -> Vec<String> {
    checkpoint::tensors(file).unwrap().iter().map(ToString::to_string).collect()
}

const MODEL: [&str; 7] = [
    "conv.weight: float32 [2, 1, 3, 3], strides [9, 9, 3, 1], 72 bytes",
    "conv.bias: float32 [2], strides [1], 8 bytes",
    "norm.weight: float32 [2], strides [1], 8 bytes",
    "norm.bias: float32 [2], strides [1], 8 bytes",
    "norm.running_mean: float32 [2], strides [1], 8 bytes",
    "norm.running_var: float32 [2], strides [1], 8 bytes",
    "norm.num_batches_tracked: int64 [], strides [], 8 bytes",
];

#[test]
fn both_layouts_of_a_state_are_read() {
    let mut state: Vec<String> = MODEL.iter().map(|line| format!("model.{line}")).collect();
    for (index, line) in MODEL[..4].iter().enumerate() {
        let (_, what) = line.split_once(':').unwrap();
        state.push(format!("optimizer.state.{index}.momentum_buffer:{what}"));
    }
    assert_eq!(shown(&read("state.zip")), state);
    assert_eq!(shown(&read("state.legacy")), state);
}

#[test]
fn a_whole_model_is_read() {
    assert_eq!(shown(&read("model.zip")), MODEL);
}

/// In the legacy layout, a class comes with its source code, in a persistent id.
#[test]
fn a_whole_model_of_the_legacy_layout_is_read() {
    let class = b"\x80\x02(Vmodule\ncapp\nModel\nVapp.py\nVclass Model: ...\ntQ)\x81";
    let weight = tensor("0", "2", "1");
    let state = [b"}V_parameters\n}Vweight\n".as_slice(), &weight, b"Rssb."].concat();
    let shown = shown(&legacy(&[class.as_slice(), &state].concat()));
    assert_eq!(shown, ["weight: float32 [2], strides [1], 8 bytes"]);
}

#[test]
fn what_is_in_few_checkpoints_is_read() {
    assert_eq!(
        shown(&read("odd.zip")),
        [
            "float8: float8_e4m3fn [2], strides [1], 2 bytes",
            "tied.0: bfloat16 [2, 2], strides [2, 1], 8 bytes",
            "tied.1: bfloat16 [2, 2], strides [1, 2], 8 bytes",
            "slice: float32 [2, 2], strides [4, 2], 28 bytes",
            "parameter: float32 [2], strides [1], 8 bytes",
            "storage: untyped [12], strides [1], 12 bytes",
            "sparse.1.0: int64 [2, 2], strides [2, 1], 32 bytes",
            "sparse.1.1: float32 [2], strides [1], 8 bytes",
            "empty: complex64 [0, 3], strides [3, 1], 0 bytes",
        ]
    );
}

#[test]
fn the_bytes_are_those_of_the_file() {
    for name in ["state.zip", "state.legacy", "model.zip", "odd.zip"] {
        let file = read(name);
        let tensors = checkpoint::tensors(&file).unwrap();
        let range = file.as_ptr_range();
        for tensor in &tensors {
            let part = tensor.data.as_ptr_range();
            assert!(range.start <= part.start && part.end <= range.end, "{tensor}");
        }
        let numbers = |tensor: &checkpoint::Tensor<'_>| -> Vec<f32> {
            let numbers = tensor.data.as_chunks().0.iter();
            numbers.map(|number| f32::from_le_bytes(*number)).collect()
        };
        match name {
            "model.zip" => {
                let zero_to_17: Vec<f32> = (0..18_u8).map(f32::from).collect();
                assert_eq!(numbers(&tensors[0]), zero_to_17);
            }
            "odd.zip" => {
                // Two tensors, one memory.
                assert_eq!(tensors[1].data.as_ptr(), tensors[2].data.as_ptr());
                // From the second row on, every other number of two rows, and what is between.
                assert_eq!(numbers(&tensors[3]), [4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
            }
            _ => (),
        }
    }
}

/// A checkpoint of the legacy layout: an object that refers to the storage "a" of two float32.
fn legacy(object: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    let behind = b"\x80\x02]X\x01\0\0\0aa.\x02\0\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\x40";
    [magic, object, behind].concat()
}

/// The function and the arguments of a tensor of one dimension, of the storage "a".
fn tensor(offset: &str, size: &str, stride: &str) -> Vec<u8> {
    let storage = "(Vstorage\nctorch\nFloatStorage\nVa\nVcpu\nI2\ntQ";
    let call =
        format!("ctorch._utils\n_rebuild_tensor\n({storage}I{offset}\n(I{size}\nt(I{stride}\ntt");
    call.into_bytes()
}

fn with_tensor(offset: &str, size: &str, stride: &str) -> Vec<u8> {
    legacy(&[b"\x80\x02".as_slice(), &tensor(offset, size, stride), b"R."].concat())
}

#[test]
fn lies_are_errors() {
    assert_eq!(shown(&with_tensor("0", "2", "1")), [": float32 [2], strides [1], 8 bytes"]);
    assert_eq!(shown(&with_tensor("1", "2", "0")), [": float32 [2], strides [0], 4 bytes"]);
    let error = |file: &[u8]| checkpoint::tensors(file).unwrap_err().to_string();
    for (offset, size, stride) in [
        ("1", "2", "1"),
        ("0", "3", "1"),
        ("3", "0", "1"),
        ("0", "2", "9223372036854775807"),
        ("0", "9223372036854775807", "9223372036854775807"),
        ("4611686018427387904", "1", "1"),
    ] {
        let text = error(&with_tensor(offset, size, stride));
        assert_eq!(text, " is not within its storage at root", "{offset} {size} {stride}");
    }
    let text = "expected an int that fits usize, found the int -1 at root";
    assert_eq!(error(&with_tensor("-1", "1", "1")), text);
    assert_eq!(error(b"\x80\x02N.N.N.N.N."), "expected an int, found None at root");
    assert_eq!(error(b"PK\x03\x04"), "invalid Zip archive: Could not find EOCD");
    let other_key = legacy(b"\x80\x02(Vstorage\nctorch\nFloatStorage\nVb\nVcpu\nI2\ntQ.");
    assert_eq!(error(&other_key), "no storage a");
    let three = legacy(b"\x80\x02(Vstorage\nctorch\nFloatStorage\nVa\nVcpu\nI3\ntQ.");
    assert_eq!(error(&three), "storage a is not of 3 items");
}

#[test]
fn nothing_is_run_or_looked_up() {
    let call = [b"\x80\x02cos\nsystem\n(Vexit 1\n".as_slice(), &tensor("0", "2", "1"), b"RtR."];
    let shown = shown(&legacy(&call.concat()));
    assert_eq!(shown, ["1: float32 [2], strides [1], 8 bytes"]);
}

/// Each of many values has the same long name, or the same long key: copied each time, these would be
/// hundreds of gigabytes.
#[test]
fn long_names_cost_little() {
    let long = "x".repeat(1 << 20);
    let tensor = tensor("0", "2", "1");
    let many = |value: &[u8]| {
        let begin = [b"](", &*tensor, b"R}V", long.as_bytes(), b"\n]("].concat();
        legacy(&[&begin, value, b"q\0", &b"h\0".repeat(300_000), b"ese."].concat())
    };
    assert_eq!(shown(&many(b"K\x07")), ["0: float32 [2], strides [1], 8 bytes"]);
    let text = checkpoint::tensors(&many(&[&*tensor, b"R"].concat())).unwrap_err().to_string();
    assert!(text.starts_with("a name of more than 1024 bytes"), "{text}");

    let storage = b"(Vstorage\nctorch\nFloatStorage\nh\0Vcpu\nI2\ntQ".repeat(300_000);
    let begin = format!("V{long}\nq\0](").into_bytes();
    let text = checkpoint::tensors(&legacy(&[&begin[..], &storage, b"e."].concat())).unwrap_err();
    assert_eq!(text.to_string(), "a key of more than 1024 bytes");
}

#[test]
fn broken_files_are_no_panic() {
    for name in ["state.zip", "state.legacy"] {
        let file = read(name);
        for index in 0..file.len() {
            let mut broken = file.clone();
            broken[index] ^= 1 << (index % 8);
            _ = checkpoint::tensors(&broken);
            _ = checkpoint::tensors(&file[..index]);
        }
    }
}

#[cfg(all(feature = "ndarray", feature = "derive"))]
#[test]
fn arrays_are_shown_and_borrowed() {
    let text = numpy::describe(&numpy::sample().unwrap()).unwrap();
    let lines = "labels: <i8 [2], 16 bytes in place\nweights: <f4 [2, 3], 24 bytes in place\n";
    assert_eq!(text, lines);
    numpy::image_apart().unwrap();
    let numbers = halfsour::to_vec(&ndarray::array![0.25, 0.5]).unwrap();
    assert_eq!(numpy::sum(&numbers).unwrap(), 0.75);
}
