//! Arrays and scalars of numpy: what numpy wrote is read, and is written in the same bytes.
//!
//! `numpy/make.py` made the pickles, with numpy itself.
#![cfg(feature = "ndarray")]

use std::fmt::Debug;
use std::path::Path;

use halfsour::numpy::{NdArray, Scalar};
use halfsour::typed::Unpickler;
use halfsour::{FromPickleOwned, Pickler, ToPickle, from_slice, to_vec};
use ndarray::{Array1, Array2, Array3, ArrayD, ArrayView2, ArrayView3, CowArray, Ix2, arr0, arr1};
use ndarray::{array, s};
use num_complex::Complex;

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/numpy").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn pickle(name: &str, protocol: u8) -> Vec<u8> {
    read(&format!("2.4/{name}.{protocol}.pickle"))
}

fn error<T: FromPickleOwned>(data: &[u8]) -> String {
    from_slice::<T>(data).err().expect("an error").to_string()
}

fn write(value: &(impl ToPickle + ?Sized), protocol: u8) -> Vec<u8> {
    Pickler::new().protocol(protocol).to_vec(value).unwrap()
}

/// What numpy writes in each protocol is read, and written.
fn same<T: ToPickle + FromPickleOwned + Debug + PartialEq>(name: &str, value: &T) {
    for protocol in 0..6 {
        let data = pickle(name, protocol);
        assert_eq!(&from_slice::<T>(&data).unwrap(), value, "{name} {protocol}");
        assert_eq!(write(value, protocol), data, "{name} {protocol}");
    }
}

/// A matrix in C's order.
fn matrix() -> Array2<i32> {
    array![[0, 1, 2], [3, 4, 5]]
}

/// One in Fortran's.
fn fortran() -> Array2<f64> {
    array![[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]].reversed_axes()
}

#[test]
fn numpy_writes_the_same() {
    same("matrix", &matrix());
    same("matrix", &matrix().into_dyn());
    same("fortran", &fortran());
    same("empty", &Array2::<f64>::zeros((0, 3)));
    same("point", &arr0(1.5));
    same("twice", &vec![array![0.0_f32, 1.0].into_dyn(), array![[0.0, 1.0]].into_dyn()]);
}

#[test]
fn numpy_1_is_read() {
    for protocol in 0..6 {
        let data = |name: &str| read(&format!("1.26/{name}.{protocol}.pickle"));
        assert_eq!(from_slice::<Array2<i32>>(&data("matrix")).unwrap(), matrix());
        assert_eq!(from_slice::<Array2<f64>>(&data("fortran")).unwrap(), fortran());
    }
}

#[test]
fn numpy_of_python_2_is_read() {
    // What is bytes today was a str.
    let data =
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85\
        q\x03U\x01b\x87Rq\x04(K\x01K\x02\x85cnumpy\ndtype\nq\x05U\x02i2K\x00K\x01\x87Rq\x06(K\x03\
        U\x01>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x04\x01\x02\xff\xfetb.";
    assert_eq!(from_slice::<Array1<i16>>(data).unwrap(), array![0x102, -2]);
}

/// An item of a list.
fn nth<T: FromPickleOwned>(data: &[u8], index: usize) -> T {
    let graph = halfsour::load(data).unwrap();
    Unpickler::new().read(&graph, |item| item.get(index)?.read()).unwrap()
}

/// All dtypes, in the order of `make.py`; a test for each of the files with lists of them.
macro_rules! dtypes {
    ($($type:ty: $numbers:expr),*) => {
        #[test]
        fn all_dtypes_are_read_and_written() {
            let arrays: Vec<Box<dyn ToPickle>> = vec![$(Box::new(arr1::<$type>(&$numbers))),*];
            for protocol in 0..6 {
                let data = pickle("dtypes", protocol);
                assert_eq!(write(&arrays, protocol), data);
                let old = read(&format!("1.26/dtypes.{protocol}.pickle"));
                let mut index = 0..;
                $(
                    let at = index.next().unwrap();
                    assert_eq!(nth::<Array1<$type>>(&data, at), arr1(&$numbers));
                    assert_eq!(nth::<Array1<$type>>(&old, at), arr1(&$numbers));
                )*
            }
        }

        #[test]
        fn all_dtypes_are_read_in_the_other_byte_order() {
            for protocol in [0, 2, 5] {
                let data = pickle("big_endian", protocol);
                let mut index = 0..;
                $(
                    let at = index.next().unwrap();
                    assert_eq!(nth::<Array1<$type>>(&data, at), arr1(&$numbers));
                )*
            }
        }

        #[test]
        fn scalars_are_read_and_written() {
            let scalars: Vec<Box<dyn ToPickle>> = vec![$(Box::new(Scalar::<$type>($numbers[1]))),*];
            for protocol in 0..6 {
                let data = pickle("scalars", protocol);
                assert_eq!(write(&scalars, protocol), data);
                let mut index = 0..;
                $(
                    let at = index.next().unwrap();
                    assert_eq!(nth::<Scalar<$type>>(&data, at).0, $numbers[1]);
                )*
            }
        }
    };
}

dtypes! {
    bool: [false, true, true],
    i8: [0, 1, 2], i16: [0, 1, 2], i32: [0, 1, 2], i64: [0, 1, 2],
    u8: [0, 1, 2], u16: [0, 1, 2], u32: [0, 1, 2], u64: [0, 1, 2],
    f32: [0.0, 1.0, 2.0], f64: [0.0, 1.0, 2.0],
    Complex<f32>: [0.0.into(), 1.0.into(), 2.0.into()],
    Complex<f64>: [0.0.into(), 1.0.into(), 2.0.into()]
}

#[test]
fn buffers_are_kept_apart() {
    fn check<T: halfsour::numpy::Element + Debug + PartialEq>(name: &str, array: Array2<T>) {
        let mut buffers = Vec::new();
        let mut pickler = Pickler::new().buffer_callback(|bytes| {
            buffers.push(bytes.to_vec());
            true
        });
        let data = pickler.to_vec(&array).unwrap();
        drop(pickler);
        for version in ["2.4", "1.26"] {
            let theirs = read(&format!("{version}/{name}.apart.pickle"));
            let buffer = read(&format!("{version}/{name}.apart.buffer"));
            assert_eq!(buffers, [buffer.as_slice()]);
            assert!(version != "2.4" || data == theirs);
            let unpickler = Unpickler::new().buffers(&[&buffer]);
            assert_eq!(unpickler.from_slice::<Array2<T>>(&theirs).unwrap(), array);
            // A heap's memory has the alignment.
            let view: ArrayView2<T> = unpickler.from_slice(&theirs).unwrap();
            assert_eq!(view, array);
            assert_eq!(view.as_ptr().addr(), buffer.as_ptr().addr());
        }
        let text =
            "pickle stream refers to out-of-band data but no *buffers* argument was given at root";
        assert_eq!(error::<Array2<T>>(&data), text);
    }
    check("matrix", matrix());
    check("fortran", fortran());
}

/// A pickle in memory where its byte at an index has an alignment of 8, and so many bytes more.
fn aligned(data: &[u8], index: usize, more: usize) -> (Vec<u8>, usize) {
    let mut memory = vec![0; data.len() + 16];
    let start =
        (memory.as_ptr().addr() + index).next_multiple_of(8) - memory.as_ptr().addr() - index;
    let start = start + more;
    memory[start..start + data.len()].copy_from_slice(data);
    (memory, start)
}

#[test]
fn views_borrow_where_they_can() {
    let data = pickle("matrix", 4);
    let items = data.len() - 24 - 5;
    let (memory, start) = aligned(&data, items, 0);
    let view: ArrayView2<i32> = from_slice(&memory[start..]).unwrap();
    assert_eq!(view, matrix());
    assert_eq!(view.as_ptr().addr(), memory[start + items..].as_ptr().addr());
    let cow: CowArray<i32, Ix2> = from_slice(&memory[start..]).unwrap();
    assert!(cow.is_view());

    let (memory, start) = aligned(&data, items, 3);
    let error = from_slice::<ArrayView2<i32>>(&memory[start..]).unwrap_err();
    let text = "expected an array at a multiple of 4 bytes, to borrow it, found one 3 off at root";
    assert_eq!(error.to_string(), text);
    let cow: CowArray<i32, Ix2> = from_slice(&memory[start..]).unwrap();
    assert!(!cow.is_view());
    assert_eq!(cow, matrix());
    let any: NdArray = from_slice(&memory[start..]).unwrap();
    assert!(any.view::<i32>().is_err());
    assert_eq!(any.bytes().as_ptr().addr(), memory[start + items..].as_ptr().addr());

    // Before protocol 3, bytes are written as text.
    let data = pickle("matrix", 2);
    let error = from_slice::<ArrayView2<i32>>(&data).unwrap_err().to_string();
    assert!(error.contains("that are in the pickle as they are"), "{error}");
    assert_eq!(from_slice::<CowArray<i32, Ix2>>(&data).unwrap(), matrix());
}

#[test]
fn views_are_not_of_another_byte_order_or_of_odd_bools() {
    let data = to_vec(&array![1_u8, 2]).unwrap();
    let graph = halfsour::load(&data).unwrap();
    let view: ndarray::ArrayView1<u8> = Unpickler::new().from_graph(&graph).unwrap();
    assert_eq!(view, array![1, 2]);

    let position = data.windows(2).position(|pair| pair == b"u1").unwrap();
    let mut bools = data.clone();
    bools[position] = b'b';
    let error = from_slice::<ndarray::ArrayView1<bool>>(&bools).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected bools of 0 and 1, to borrow them, found others at root"
    );
    assert_eq!(from_slice::<Array1<bool>>(&bools).unwrap(), array![true, true]);

    let data = pickle("big_endian", 5);
    let graph = halfsour::load(&data).unwrap();
    let error = Unpickler::new()
        .read(&graph, |item| item.get(3)?.read::<ndarray::ArrayView1<i32>>())
        .unwrap_err();
    assert_eq!(error.to_string(), "expected numpy's dtype <i4, to borrow it, found >i4 at root");
}

#[test]
fn other_orders_are_read() {
    let cube = Array3::from_shape_vec((2, 3, 4), (0..24_i16).collect()).unwrap();
    let transposed = cube.permuted_axes([1, 0, 2]);
    let strided = array![[0_i16, 2, 4], [6, 8, 10]];
    for protocol in [4, 5] {
        let data = pickle("transposed", protocol);
        assert_eq!(from_slice::<Array3<i16>>(&data).unwrap(), transposed);
        assert_eq!(from_slice::<NdArray>(&data).unwrap().shape(), [3, 2, 4]);
        assert_eq!(from_slice::<Array2<i16>>(&pickle("strided", protocol)).unwrap(), strided);
    }
    // In their order, such arrays are written like those in any other.
    assert_eq!(write(&transposed, 4), pickle("transposed", 4));
    let all = Array2::from_shape_fn((2, 6), |(row, column)| (6 * row + column) as i16);
    for protocol in [4, 5] {
        assert_eq!(write(&all.slice(s![.., ..;2]), protocol), pickle("strided", protocol));
    }
    let data = pickle("transposed", 5);
    let items = data.windows(4).position(|bytes| bytes == [0, 0, 1, 0]).unwrap();
    let (memory, start) = aligned(&data, items, 0);
    assert_eq!(from_slice::<ArrayView3<i16>>(&memory[start..]).unwrap(), transposed);
}

#[test]
fn what_is_no_number_is_an_error_or_bytes() {
    for protocol in [4, 5] {
        let data = |name| pickle(name, protocol);
        let wrong = |name| error::<ArrayD<f64>>(&data(name));
        assert_eq!(wrong("objects"), "expected numpy's dtype <f8, found |O8 at root");
        assert_eq!(wrong("structure"), "expected numpy's dtype <f8, found |V12 at root");
        assert_eq!(wrong("text"), "expected numpy's dtype <f8, found <U4 at root");
        assert_eq!(wrong("dates"), "expected numpy's dtype <f8, found <M8 at root");
        assert_eq!(wrong("half"), "expected numpy's dtype <f8, found <f2 at root");
        let objects = from_slice::<NdArray>(&data("objects")).err().unwrap().to_string();
        assert_eq!(
            objects,
            "expected a numpy.ndarray of numbers, found one of Python objects at root"
        );
        let structure = data("structure");
        let structure: NdArray = from_slice(&structure).unwrap();
        assert_eq!(structure.bytes(), b"\x01\0\0\0\0\0\0\0\0\0\0\x40");
        let half = data("half");
        let half: NdArray = from_slice(&half).unwrap();
        assert_eq!((half.shape(), half.bytes()), ([3].as_slice(), b"\0\0\0\x3c\0\x40".as_slice()));
    }
    let subclass = error::<ArrayD<i64>>(&pickle("subclass", 4));
    assert!(subclass.starts_with("expected the class numpy.ndarray, found"), "{subclass}");
    let data = pickle("matrix", 5);
    assert_eq!(
        error::<Array3<i32>>(&data),
        "expected an array of 3 dimensions, found one of 2 at root"
    );
    assert_eq!(error::<Array2<u32>>(&data), "expected numpy's dtype <u4, found <i4 at root");
    assert_eq!(
        error::<Scalar<i32>>(&data),
        "expected a scalar of numpy, found a numpy._core.numeric._frombuffer at root"
    );
}

/// An array of bytes in which all can be a lie.
fn forged(code: &str, order: &str, shape: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut data = b"cnumpy.core.numeric\n_frombuffer\n(C".to_vec();
    data.push(bytes.len() as u8);
    data.extend(bytes);
    data.extend(b"cnumpy\ndtype\n(V");
    data.extend(code.as_bytes());
    data.extend(b"\nI00\nI01\ntR(I3\nV");
    data.extend(order.as_bytes());
    data.extend(b"\nNNNI-1\nI-1\nI0\ntb(");
    data.extend(shape);
    data.extend(b"tVC\ntR.");
    data
}

#[test]
fn lies_are_errors() {
    let two = from_slice::<Array1<u16>>(&forged("u2", "<", b"I2\n", &[1, 0, 2, 0])).unwrap();
    assert_eq!(two, array![1, 2]);
    let shape = |shape: &str, len: &str| {
        format!(
            "expected as many bytes as an array of <u2 and shape {shape} has, found {len} bytes at root"
        )
    };
    let wrong = |data: &[u8]| {
        let owned = error::<ArrayD<u16>>(data);
        assert_eq!(from_slice::<NdArray>(data).err().unwrap().to_string(), owned);
        owned
    };
    assert_eq!(wrong(&forged("u2", "<", b"I3\n", &[0; 4])), shape("(3,)", "4"));
    assert_eq!(wrong(&forged("u2", "<", b"I2\n", &[0; 5])), shape("(2,)", "5"));
    assert_eq!(wrong(&forged("u2", "<", b"", &[0; 4])), shape("()", "4"));
    // Products that wrap around to what is there, and those that do but for a zero.
    let huge = b"I4294967296\nI4294967296\n";
    let text = "(4294967296, 4294967296)";
    assert_eq!(wrong(&forged("u2", "<", huge, &[])), shape(text, "0"));
    let zero = [huge.as_slice(), b"I0\n"].concat();
    let text = "(4294967296, 4294967296, 0)";
    assert_eq!(wrong(&forged("u2", "<", &zero, &[])), shape(text, "0"));
    assert_eq!(
        wrong(&forged("u2", "<", b"I-1\n", &[0; 4])),
        "expected an int that fits usize, found the int -1 at root"
    );
    assert_eq!(
        wrong(&forged("u2", "<", b"I01\n", &[0; 2])),
        "expected an int, found a bool at root"
    );
    assert_eq!(
        wrong(&forged("u2", "<", &b"I1\n".repeat(65), &[0; 2])),
        "expected an array of at most 64 dimensions, found one of 65 at root"
    );
    assert_eq!(
        wrong(&forged("u2", "|", b"I2\n", &[0; 4])),
        "expected a byte order, found a str at root"
    );
    for code in ["", "u", "2", "x2", "u-2", "u99999999999999999999999", "é2"] {
        let text =
            "expected a numpy.dtype made of a letter and a size, found a numpy.dtype at root";
        let code = if code == "é2" { "\\u00e92" } else { code };
        assert_eq!(wrong(&forged(code, "<", b"I2\n", &[0; 4])), text);
    }
    // A number with a structure's size, text with no size: both are what they say, or nothing.
    assert!(from_slice::<NdArray>(&forged("u999999999999", "<", b"I2\n", &[0; 4])).is_err());
    assert!(from_slice::<NdArray>(&forged("S2", "|", b"I2\n", &[0; 4])).is_err());
}

#[test]
fn what_was_changed_after_it_was_made_is_an_error() {
    // `array[0] = 7`, as a pickle can say.
    let mut data = forged("u2", "<", b"I2\n", &[0; 4]);
    data.pop();
    data.extend(b"I0\nI7\ns.");
    assert!(error::<ArrayD<u16>>(&data).starts_with("expected a numpy.ndarray, found"));
}

#[test]
fn copies_are_bounded() {
    // One array of a megabyte, a hundred thousand times.
    let mut data = write(&Array1::<f64>::zeros(1 << 17), 3);
    data.pop();
    data.extend(b"0(");
    data.extend(b"h\x05".repeat(100_000));
    data.extend(b"l.");
    let error = error::<Vec<Array1<f64>>>(&data);
    assert!(error.starts_with("more than the limit of 16 (expansion)"), "{error}");
}

#[test]
fn broken_pickles_are_no_panic() {
    for name in ["matrix", "fortran", "transposed", "structure", "text", "dates"] {
        for protocol in [4, 5] {
            let data = pickle(name, protocol);
            for index in 0..data.len() {
                for bit in 0..8 {
                    let mut broken = data.clone();
                    broken[index] ^= 1 << bit;
                    if let Ok(array) = from_slice::<NdArray>(&broken) {
                        let size = array.shape().iter().product::<usize>() * array.dtype().itemsize;
                        assert_eq!(size, array.bytes().len());
                        _ = (array.view::<i16>(), array.to_array::<f64>(), array.to_array::<i32>());
                    }
                    _ = from_slice::<CowArray<i16, ndarray::IxDyn>>(&broken);
                }
            }
        }
    }
}
