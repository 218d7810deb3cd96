//! Which types of Rust numpy's numbers are.

use num_complex::Complex;

use super::Dtype;

pub(super) mod sealed {
    /// What numbers are made of: bytes of any alignment, in either order.
    pub trait Number: bytemuck::CheckedBitPattern + bytemuck::NoUninit {
        /// As many numbers as the bytes are enough for.
        fn decode(bytes: &[u8], big_endian: bool) -> Vec<Self>;
    }
}

/// A number of an array: `bool`, ints and floats of 8 to 64 bits, `Complex` of floats.
///
/// There is no float16 in Rust, nor numpy's long double: [`NdArray`](super::NdArray) has their bytes.
///
/// ```
/// use halfsour::numpy::Element;
/// assert_eq!(<num_complex::Complex<f32>>::dtype().to_string(), "<c8"); // on most machines
/// ```
pub trait Element: sealed::Number + 'static {
    /// The dtype, in the byte order of this machine.
    fn dtype() -> &'static Dtype;
}

macro_rules! elements {
    ($($type:ty: $kind:literal, |$bytes:ident, $big_endian:ident| $decode:expr;)*) => {$(
        impl Element for $type {
            fn dtype() -> &'static Dtype {
                static DTYPE: Dtype = Dtype::native($kind, size_of::<$type>());
                &DTYPE
            }
        }

        impl sealed::Number for $type {
            fn decode($bytes: &[u8], $big_endian: bool) -> Vec<$type> {
                $decode
            }
        }
    )*};
}

macro_rules! numbers {
    ($($type:ident: $kind:literal),*) => {
        elements! {$(
            $type: $kind, |bytes, big_endian| {
                let numbers = bytes.as_chunks().0.iter();
                match big_endian {
                    true => numbers.map(|number| $type::from_be_bytes(*number)).collect(),
                    false => numbers.map(|number| $type::from_le_bytes(*number)).collect(),
                }
            };
        )*}
    };
}

numbers! {
    i8: 'i', i16: 'i', i32: 'i', i64: 'i', u8: 'u', u16: 'u', u32: 'u', u64: 'u', f32: 'f', f64: 'f'
}

elements! {
    // Any byte but 0 is true to numpy.
    bool: 'b', |bytes, _big_endian| bytes.iter().map(|byte| *byte != 0).collect();
    Complex<f32>: 'c', |bytes, big_endian| pairs(f32::decode(bytes, big_endian));
    Complex<f64>: 'c', |bytes, big_endian| pairs(f64::decode(bytes, big_endian));
}

/// Real and imaginary parts by turns.
fn pairs<T: Copy>(parts: Vec<T>) -> Vec<Complex<T>> {
    parts.as_chunks().0.iter().map(|[re, im]| Complex::new(*re, *im)).collect()
}
