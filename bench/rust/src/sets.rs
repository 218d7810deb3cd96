//! The Rust types of the sets that ../../rust.py makes.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Row {
    id: i64,
    name: String,
    score: f64,
    active: bool,
}

/// Region, shop and customer.
pub type Nested = HashMap<String, HashMap<String, HashMap<String, Leaf>>>;

#[derive(Serialize, Deserialize)]
pub struct Leaf {
    id: i64,
    name: String,
    score: f64,
    tags: Vec<String>,
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub struct Point {
    x: f64,
    y: f64,
    label: String,
    number: i64,
}

/// A key, a number and a list of it.
pub type Shared = (String, i64, Vec<i64>);
