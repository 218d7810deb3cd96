//! Reading any bytes as types: an error or a value, in bounded time, depth and memory.
#![no_main]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use halfsour::{FromPickle, Pickle};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum Any {
    None(()),
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
enum Tagged {
    Unit,
    New(Box<Tagged>),
    Pair(i8, u64),
    Fields { a: Option<f32>, b: Vec<Tagged> },
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Record<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default)]
    values: HashMap<(i32, String), Option<char>>,
    inner: Option<Box<Record<'a>>>,
}

#[derive(Debug, Pickle)]
#[pickle(module = "shapes", name = "Plain")]
#[allow(dead_code)]
struct Plain {
    #[pickle(default)]
    x: i64,
    #[pickle(default)]
    y: Option<Rc<Plain>>,
    #[pickle(default)]
    tags: Vec<(String, f64)>,
}

fn typed<'a, T: FromPickle<'a>>(data: &'a [u8]) {
    let _ = halfsour::from_slice::<T>(data);
}

fuzz_target!(|data: &[u8]| {
    let _ = halfsour::serde::from_slice::<Any>(data);
    let _ = halfsour::serde::from_slice::<Vec<Tagged>>(data);
    let _ = halfsour::serde::from_slice::<Record<'_>>(data);
    let _ = halfsour::serde::from_slice::<serde::de::IgnoredAny>(data);
    typed::<Plain>(data);
    typed::<Vec<Plain>>(data);
    typed::<HashMap<String, Vec<i32>>>(data);
    typed::<(u8, Option<bool>, [f64; 2])>(data);
    typed::<Vec<Vec<Vec<Vec<String>>>>>(data);
    typed::<Cow<'_, str>>(data);
});
