//! The paths of Python's `pathlib`, as text.

use std::fmt;

use super::as_any;
use crate::error::Error;
use crate::typed::{FromPickle, Item};
use crate::writer::{Global, ToPickle, Writer};

/// Which class of paths. A `PurePath` or a `Path` is always one of these.
///
/// ```
/// use halfsour::types::{Path, PathKind};
/// // pickle.dumps(pathlib.PurePosixPath("/etc"), 2)
/// let data = b"\x80\x02cpathlib\nPurePosixPath\nq\0X\x01\0\0\0/q\x01\
///     X\x03\0\0\0etcq\x02\x86q\x03Rq\x04.";
/// let path: Path = halfsour::from_slice(data)?;
/// assert_eq!(path.kind, PathKind::PurePosix);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathKind {
    /// `pathlib.PurePosixPath`
    PurePosix,
    /// `pathlib.PureWindowsPath`
    PureWindows,
    /// `pathlib.PosixPath`, which Python loads on no Windows.
    Posix,
    /// `pathlib.WindowsPath`, which Python loads on Windows alone.
    Windows,
}

/// A path.
///
/// CPython 3.12 and earlier pickle its parts, 3.13 and later the text it was made from, 3.13 with
/// another name of the module. All are read; written is what 3.14 and later write, and all load.
///
/// ```
/// use halfsour::types::{Path, PathKind};
/// let path = Path { kind: PathKind::PurePosix, path: "/etc/hosts".into() };
/// assert_eq!(halfsour::from_slice::<Path>(&halfsour::to_vec(&path)?)?, path);
/// # Ok::<(), halfsour::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// The class.
    pub kind: PathKind,
    /// The path.
    pub path: String,
}

impl PathKind {
    const ALL: [PathKind; 4] =
        [PathKind::PurePosix, PathKind::PureWindows, PathKind::Posix, PathKind::Windows];

    /// The class's name.
    ///
    /// ```
    /// use halfsour::types::PathKind;
    /// assert_eq!(PathKind::Windows.name(), "WindowsPath");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            PathKind::PurePosix => "PurePosixPath",
            PathKind::PureWindows => "PureWindowsPath",
            PathKind::Posix => "PosixPath",
            PathKind::Windows => "WindowsPath",
        }
    }

    fn is_windows(self) -> bool {
        matches!(self, PathKind::PureWindows | PathKind::Windows)
    }

    /// A path, of which so many bytes are its drive, and what is within it.
    fn join(self, path: &mut String, drive: &mut usize, inner: &str) {
        if !self.is_windows() {
            if inner.starts_with('/') {
                path.clear();
            }
            if !path.is_empty() && !path.ends_with('/') && !inner.is_empty() {
                path.push('/');
            }
            path.push_str(inner);
            return;
        }
        let (other, rest) = split_drive(inner);
        if !other.is_empty() && !other.eq_ignore_ascii_case(&path[..*drive]) {
            path.clear();
        }
        if rest.starts_with(['\\', '/']) {
            path.truncate(*drive);
        }
        if path.is_empty() {
            *drive = other.len();
            return path.push_str(inner);
        }
        // `C:` and `x` are `C:x`, a path on that drive from wherever one is there.
        let on_drive = path.len() == *drive && path.ends_with(':');
        if !on_drive && !path.ends_with(['\\', '/']) && !rest.is_empty() {
            path.push('\\');
        }
        path.push_str(rest);
    }
}

/// `C:`, or `\\server\share`, and what comes after it.
fn split_drive(path: &str) -> (&str, &str) {
    let slash = |char| matches!(char, '\\' | '/');
    let len = match path.as_bytes() {
        [_, b':', ..] => path.find(':').map(|colon| colon + 1),
        [b'\\' | b'/', b'\\' | b'/', ..] => {
            let mut slashes = path.match_indices(slash).map(|(at, _)| at).skip(2);
            // Up to the end of the share.
            slashes.next().map(|_| slashes.next().unwrap_or(path.len()))
        }
        _ => None,
    };
    path.split_at_checked(len.unwrap_or(0)).unwrap_or(("", path))
}

impl FromPickle<'_> for Path {
    fn from_pickle(item: Item<'_, '_>) -> Result<Path, Error> {
        let kind = item.class().and_then(|class| {
            let is_pathlib = matches!(class.module, "pathlib" | "pathlib._local");
            PathKind::ALL.into_iter().find(|kind| is_pathlib && kind.name() == class.name)
        });
        let kind = kind.ok_or_else(|| item.expected("a path"))?;
        let (mut path, mut drive) = (String::new(), 0);
        for part in item.args()? {
            kind.join(&mut path, &mut drive, &part.str()?);
        }
        if path.is_empty() {
            path.push('.');
        }
        Ok(Path { kind, path })
    }
}

impl ToPickle for Path {
    fn to_pickle(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        out.call(&Global::new("pathlib", self.kind.name()), &[&self.path])
    }

    as_any!();
}

/// The path alone.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}
