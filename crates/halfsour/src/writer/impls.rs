//! What the standard library's types are in Python.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use super::{ToPickle, Writer};
use crate::error::Error;

macro_rules! impls {
    ($(
        $(#[$doc:meta])*
        [$($params:tt)*] $type:ty, |$value:ident, $out:ident| $body:expr;
    )*) => {$(
        $(#[$doc])*
        impl<$($params)*> ToPickle for $type {
            #[inline]
            fn to_pickle(&self, $out: &mut Writer<'_>) -> Result<(), Error> {
                let $value = self;
                $body
            }
        }
    )*};
}

macro_rules! integers {
    ($($int:ty, $method:ident, $wide:ty;)*) => { impls! {$(
        /// An `int`.
        [] $int, |value, out| out.$method(<$wide>::from(*value));
    )*} };
}

integers! {
    i8, int, i64;
    i16, int, i64;
    i32, int, i64;
    i64, int, i64;
    u8, int, i64;
    u16, int, i64;
    u32, int, i64;
    u64, uint, u64;
}

impls! {
    /// An `int`.
    [] isize, |value, out| out.int(*value as i64);
    /// An `int`.
    [] usize, |value, out| out.uint(*value as u64);
    /// An `int`.
    [] i128, |value, out| out.bigint(&value.to_le_bytes());
    /// An `int`.
    [] u128, |value, out| {
        let mut bytes = [0; 17];
        bytes.iter_mut().zip(value.to_le_bytes()).for_each(|(place, byte)| *place = byte);
        out.bigint(&bytes)
    };
    /// A `float`.
    [] f64, |value, out| out.float(*value);
    /// A `float`.
    [] f32, |value, out| out.float((*value).into());
    /// `True` or `False`.
    [] bool, |value, out| out.bool(*value);
    /// `None`.
    [] (), |_value, out| out.none();
    /// `None`.
    [T: ?Sized] PhantomData<T>, |_value, out| out.none();
    /// A `str`.
    [] str, |value, out| out.str(value);
    /// A `str`.
    [] String, |value, out| out.str(value);
    /// A `str` of one character.
    [] char, |value, out| out.str(value.encode_utf8(&mut [0; 4]));
    /// `None`, or the value.
    [T: ToPickle] Option<T>, |value, out| match value {
        Some(value) => out.save(value),
        None => out.none(),
    };
    /// The value.
    [T: ToPickle + ?Sized] &mut T, |value, out| out.pointed_to(|out| out.save(&**value));
    /// The value.
    [T: ToPickle + ?Sized] Box<T>, |value, out| out.pointed_to(|out| out.save(&**value));
    /// The value.
    [T: ToPickle + ToOwned + ?Sized] Cow<'_, T>, |value, out| out.save(&**value);
    /// The value; one object in Python where it is shared, by several of these, in Rust.
    [T: ToPickle + ?Sized + 'static] Rc<T>, |value, out| {
        if Rc::strong_count(value) == 1 && Rc::weak_count(value) == 0 {
            return out.pointed_to(|out| out.save(&**value));
        }
        let address = Rc::as_ptr(value).addr();
        out.shared(address, Rc::clone(value), |out| out.save(&**value))
    };
    /// The value; one object in Python where it is shared, by several of these, in Rust.
    [T: ToPickle + ?Sized + 'static] Arc<T>, |value, out| {
        if Arc::strong_count(value) == 1 && Arc::weak_count(value) == 0 {
            return out.pointed_to(|out| out.save(&**value));
        }
        let address = Arc::as_ptr(value).addr();
        out.shared(address, Arc::clone(value), |out| out.save(&**value))
    };
    /// A `list`.
    [T: ToPickle] [T], |value, out| out.list(value);
    /// A `list`.
    [T: ToPickle, const N: usize] [T; N], |value, out| out.list(value);
    /// A `list`.
    [T: ToPickle] Vec<T>, |value, out| out.list(value);
    /// A `list`.
    [T: ToPickle] VecDeque<T>, |value, out| out.list(value);
    /// A `list`.
    [T: ToPickle] LinkedList<T>, |value, out| out.list(value);
    /// A `dict`.
    [K: ToPickle, V: ToPickle, S] HashMap<K, V, S>, |value, out| out.dict(value);
    /// A `dict`.
    [K: ToPickle, V: ToPickle] BTreeMap<K, V>, |value, out| out.dict(value);
    /// A `set`.
    [T: ToPickle, S] HashSet<T, S>, |value, out| out.set(value);
    /// A `set`.
    [T: ToPickle] BTreeSet<T>, |value, out| out.set(value);
}

/// The value.
impl<T: ToPickle + ?Sized> ToPickle for &T {
    #[inline]
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.pointed_to(|out| out.save(*self))
    }

    #[inline]
    fn to_pickle_as_item(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(*self)
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),+))*) => {$(
        /// A `tuple`.
        impl<$($name: ToPickle),+> ToPickle for ($($name,)+) {
            fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
                let len = [$($index),+].len();
                out.tuple_with(len, |tuple| {
                    $(tuple.item(&self.$index)?;)+
                    Ok(())
                })
            }
        }
    )*};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11)
}
