//! What a pickle says about sizes costs nothing: only its bytes do.

use halfsour::{ErrorKind, Memo, load};

/// How much address space the process has had at most, in KiB.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Elsewhere only an allocation that fails is noticed.
#[cfg(not(target_os = "linux"))]
fn peak() -> u64 {
    0
}

/// The only test in this file, since it watches the whole process.
#[test]
fn declared_sizes_are_not_allocated() {
    let before = peak();
    for op in [b"B".as_slice(), b"X", b"T", b"\x8b"] {
        // Nearly 2 GiB, and nothing there.
        let data = [op, b"\xff\xff\xff\x7f", b"abc"].concat();
        assert_eq!(load(&data).unwrap_err().kind(), &ErrorKind::Truncated);
        assert!(halfsour::dis::dis(&data, &mut Vec::new()).is_err());
    }
    for op in [b"\x8e".as_slice(), b"\x8d", b"\x96", b"\x95"] {
        for size in [1u64 << 31, 1 << 40, (1 << 62) - 1] {
            let data = [op, &size.to_le_bytes(), b"abc"].concat();
            assert_eq!(load(&data).unwrap_err().kind(), &ErrorKind::Truncated);
            assert!(halfsour::dis::dis(&data, &mut Vec::new()).is_err());
        }
    }
    for index in ["4294967295", "9223372036854775807", "1099511627776"] {
        load(format!("Np{index}\n0g{index}\n.").as_bytes()).unwrap();
    }
    load(b"Nr\xff\xff\xff\xff0j\xff\xff\xff\xff.").unwrap();

    // Far indexes among near ones, in both countings.
    for counts_sparse in [true, false] {
        let mut memo = Memo::new(counts_sparse);
        for index in 0..20_000 {
            memo.put(index, index).unwrap();
            memo.put(usize::MAX - index * 1_000_003, index).unwrap();
            memo.put(index.pow(2) * 1000 + 50, index).unwrap();
        }
    }

    // Numbers whose decimal form would take quadratic time.
    let digits = [b"L".as_slice(), &[b'7'; 3_000_000], b"L\n."].concat();
    assert!(matches!(load(&digits).unwrap_err().kind(), ErrorKind::BadLiteral(_)));
    let long = [b"\x8b\0\0\x20\0".as_slice(), &[1; 0x20_0000], b"."].concat();
    load(&long).unwrap();
    assert!(halfsour::dis::dis(&long, &mut Vec::new()).is_err());

    // An error is placed by reading again.
    let nones = [b"](".as_slice(), &[b'N'; 300_000], b"e."].concat();
    let error = halfsour::from_slice::<Vec<u8>>(&nones).unwrap_err();
    assert_eq!(error.offset(), Some(2));

    let grown = peak() - before;
    assert!(grown < 100 << 10, "{grown} KiB more of address space");
}
