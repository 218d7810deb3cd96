//! The example runs, and Python and it read what the other wrote.

#[path = "../common/mod.rs"]
mod common;

use super::*;

#[test]
fn it_runs() -> Result<(), Box<dyn std::error::Error>> {
    main()
}

/// The classes of the example, and its hosts.
const PYTHON: &str = r"
import collections, datetime, ipaddress, pickle, types

hosts = sys.modules['hosts'] = types.ModuleType('hosts')
hosts.Password = collections.namedtuple('Password', 'text', module='hosts')
hosts.Host = type('Host', (), {'__module__': 'hosts'})

def host(address, password, **uptime):
    made = hosts.Host()
    made.address = ipaddress.ip_address(address)
    made.uptime = datetime.timedelta(**uptime)
    made.password = hosts.Password(password)
    return made

def same(one, other):
    return type(one) is type(other) is hosts.Host and vars(one) == vars(other)

def hosts_of(password):
    return [host('10.0.0.1', password, seconds=100_000), host('10.0.0.2', password, seconds=1.5)]
";

#[test]
fn python_reads_and_writes_the_same() -> Result<(), Box<dyn std::error::Error>> {
    let dumps = format!(
        "{}{PYTHON}
for protocol in range(6):
    emit(pickle.dumps(hosts_of('gherkin'), protocol))
",
        common::PACK
    );
    for pickle in common::unpack(&common::python(&dumps, b"")) {
        assert_eq!(halfsour::from_slice::<Vec<Host>>(&pickle)?, hosts());
    }

    let loads = format!(
        "{}{PYTHON}
pickles = unpack()
for password in ['gherkin', 'gherkin', '***']:
    assert all(map(same, pickle.loads(next(pickles)), hosts_of(password)))
address, = pickle.loads(next(pickles))
assert address == ipaddress.IPv6Address('::1')
emit('done')
",
        common::PACK
    );
    let (shared, localhost) = (Arc::new(table()), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST));
    let pickles = [
        Pickler::new().dispatch_table(Arc::clone(&shared)).to_vec(&hosts())?,
        Pickler::new().protocol(2).dispatch_table(Arc::clone(&shared)).to_vec(&hosts())?,
        Pickler::new().dispatch_table(table_for_others()).to_vec(&hosts())?,
        Pickler::new().dispatch_table(shared).to_vec(&[Dispatched(&localhost)])?,
    ];
    let input = common::pack(pickles.iter().map(Vec::as_slice));
    assert_eq!(common::unpack(&common::python(&loads, &input)), [b"done"]);
    Ok(())
}
