//! Types that this crate does not know, pickled as a table says: one that all picklers share, or one
//! that a single pickler has.
//!
//! In Python that is `copyreg.dispatch_table`, and a pickler's own `dispatch_table`. Here an address
//! and a length of time of Rust's library become those of Python's; and the pickler that writes for
//! others has a table of its own, in which passwords are stars.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use halfsour::{DispatchTable, Dispatched, Global, Pickle, Pickler, Reduced};

/// How types of Rust's library are pickled, wherever this program does it.
fn table() -> DispatchTable {
    let mut table = DispatchTable::new();
    table.register(|address: &IpAddr| match address {
        IpAddr::V4(v4) => {
            Reduced::call(Global::new("ipaddress", "IPv4Address")).arg(u32::from(*v4))
        }
        IpAddr::V6(v6) => {
            Reduced::call(Global::new("ipaddress", "IPv6Address")).arg(v6.to_string())
        }
    });
    table.register(|time: &Duration| {
        let seconds = time.as_secs();
        Reduced::call(Global::new("datetime", "timedelta"))
            .arg(seconds / 86_400)
            .arg(seconds % 86_400)
            .arg(time.subsec_micros())
    });
    table
}

/// The same for what others get to see. It is asked before a type that knows itself how it is pickled.
fn table_for_others() -> DispatchTable {
    let mut table = table();
    table.register(|_: &Password| Reduced::newobj(Global::new("hosts", "Password")).arg("***"));
    table
}

#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "hosts", newargs)]
struct Password {
    text: String,
}

/// A class with fields of which only the table knows how they are written.
#[derive(Pickle, Debug, PartialEq)]
#[pickle(module = "hosts")]
struct Host {
    #[pickle(with = address)]
    address: IpAddr,
    #[pickle(with = uptime)]
    uptime: Duration,
    password: Password,
}

/// Reading asks no table: the field says what is to be read.
mod address {
    use halfsour::{Dispatched, Error, Item, Writer};
    use std::net::IpAddr;

    pub(super) fn to_pickle(address: &IpAddr, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&Dispatched(address))
    }

    pub(super) fn from_pickle(item: Item<'_, '_>) -> Result<IpAddr, Error> {
        match (item.class(), item.args()?.next()) {
            (Some(class), Some(number)) if class.is("ipaddress", "IPv4Address") => {
                number.int::<u32>().map(|number| IpAddr::V4(number.into()))
            }
            (Some(class), Some(text)) if class.is("ipaddress", "IPv6Address") => {
                text.str()?.parse().map_err(|_| text.expected("an IPv6 address"))
            }
            _ => Err(item.expected("an IP address")),
        }
    }
}

mod uptime {
    use halfsour::{Dispatched, Error, Item, Writer, types::TimeDelta};
    use std::time::Duration;

    pub(super) fn to_pickle(uptime: &Duration, out: &mut Writer<'_>) -> Result<(), Error> {
        out.save(&Dispatched(uptime))
    }

    pub(super) fn from_pickle(item: Item<'_, '_>) -> Result<Duration, Error> {
        let microseconds = item.read::<TimeDelta>()?.total_microseconds();
        let microseconds = u64::try_from(microseconds);
        Ok(Duration::from_micros(microseconds.map_err(|_| item.expected("a time that is past"))?))
    }
}

fn hosts() -> Vec<Host> {
    let host = |address: [u8; 4], uptime| Host {
        address: address.into(),
        uptime,
        password: Password { text: "gherkin".into() },
    };
    vec![
        host([10, 0, 0, 1], Duration::from_secs(100_000)),
        host([10, 0, 0, 2], Duration::from_millis(1500)),
    ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hosts = hosts();

    // What picklers share is an Arc.
    let shared = Arc::new(table());
    let pickle = Pickler::new().dispatch_table(Arc::clone(&shared)).to_vec(&hosts)?;
    let older = Pickler::new().protocol(2).dispatch_table(shared).to_vec(&hosts)?;
    println!("{} bytes in protocol 5, {} in protocol 2", pickle.len(), older.len());
    for pickle in [&pickle, &older] {
        assert_eq!(halfsour::from_slice::<Vec<Host>>(pickle)?, hosts);
    }

    // A table of its own.
    let pickle = Pickler::new().dispatch_table(table_for_others()).to_vec(&hosts)?;
    let seen: Vec<Host> = halfsour::from_slice(&pickle)?;
    println!("{:?}", seen[0]);
    assert_eq!(seen[0].password.text, "***");

    // Without the table nobody knows what an address is in Python.
    let error = halfsour::to_vec(&hosts).unwrap_err();
    println!("{error}");
    assert_eq!(error.path().to_string(), "root[0].address");

    // A value for itself is wrapped where it is pickled.
    let localhost: IpAddr = [127, 0, 0, 1].into();
    let pickle = Pickler::new().dispatch_table(table()).to_vec(&[Dispatched(&localhost)])?;
    println!("{}", pickle.escape_ascii());
    Ok(())
}

#[cfg(test)]
#[path = "../tests/examples/dispatch_table.rs"]
mod tests;
