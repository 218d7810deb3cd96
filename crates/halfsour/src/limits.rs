//! What a pickle may cost.

use crate::error::{Error, ErrorKind};
use crate::graph::Graph;

/// Limits on what a pickle may cost: on by default, each for itself adjustable.
///
/// They bound time and memory where a few bytes of a pickle could ask for much of either. What a
/// pickle's own bytes ask for is in proportion to them, and needs no limit.
///
/// ```
/// let limits = halfsour::Limits::default().depth(20);
/// assert_eq!(limits.depth, 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How deep typed values may nest: reading and writing them recurses. 128 by default, as in
    /// serde_json. Pointers and newtypes around a value do not count, but so many right inside one
    /// another are too many. A [`Graph`](crate::Graph) has no such limit.
    ///
    /// Each level takes stack in proportion to the size of the types there. The default suits a stack of
    /// 2 MB and types of a few hundred bytes; for one that holds itself and an array of a kilobyte, set a
    /// lower limit, or box the array.
    pub depth: u32,
    /// How many opcodes a pickle may have. No limit by default, since each takes a byte.
    pub opcodes: u64,
    /// How many values the memo may hold. No limit by default, since each takes a byte, and an index
    /// that is far off takes no more memory than others.
    pub memo: u64,
    /// How many bytes a pickle may have. No limit by default.
    pub bytes: u64,
    /// How many decimal digits an integer's text may have: reading them takes quadratic time. 4300 by
    /// default, as in CPython.
    pub digits: usize,
    /// How many nodes may be visited when a graph becomes typed values, in which what was shared is
    /// there again and again, as a multiple of the graph's nodes and of the references to them. 16 by
    /// default, but always at least a million visits.
    pub expansion: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            depth: 128,
            opcodes: u64::MAX,
            memo: u64::MAX,
            bytes: u64::MAX,
            digits: 4300,
            expansion: 16,
        }
    }
}

impl Limits {
    /// One level deeper than `depth`.
    #[inline]
    pub(crate) fn deeper(&self, depth: u32) -> Result<u32, Error> {
        if depth >= self.depth {
            return Err(self.too_deep());
        }
        Ok(depth + 1)
    }

    /// One more step inward at a `depth` that enters no container, after those of `before`: through a
    /// pointer, a newtype, a `Some`. A type that is in itself with nothing else between goes on so.
    #[inline]
    pub(crate) fn step(&self, before: Steps, depth: u32) -> Result<Steps, Error> {
        let count = before.count + u32::from(before.depth == depth);
        if count > self.depth {
            return Err(self.too_deep());
        }
        Ok(Steps { depth, count })
    }

    #[cold]
    fn too_deep(&self) -> Error {
        ErrorKind::Limit { what: "depth", limit: self.depth.into() }.into()
    }

    /// These limits with another [`depth`](Limits::depth).
    ///
    /// ```
    /// use halfsour::{ErrorKind, Limits, Unpickler};
    /// let data = b"]]]K\x07aaa."; // [[[7]]]
    /// let unpickler = Unpickler::new().limits(Limits::default().depth(2));
    /// let error = unpickler.from_slice::<Vec<Vec<Vec<u8>>>>(data).unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Limit { what: "depth", limit: 2 });
    /// assert_eq!(halfsour::from_slice::<Vec<Vec<Vec<u8>>>>(data)?, [[[7]]]);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn depth(mut self, depth: u32) -> Limits {
        self.depth = depth;
        self
    }

    /// These limits with another number of [`opcodes`](Limits::opcodes).
    ///
    /// ```
    /// use halfsour::{ErrorKind, Limits, Unpickler};
    /// let unpickler = Unpickler::new().limits(Limits::default().opcodes(3));
    /// assert_eq!(unpickler.from_slice::<(u8,)>(b"K\x07\x85.")?, (7,));
    /// let error = unpickler.load(b"K\x07K\x08\x86.").unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Limit { what: "opcodes", limit: 3 });
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn opcodes(mut self, opcodes: u64) -> Limits {
        self.opcodes = opcodes;
        self
    }

    /// These limits with another size of the [`memo`](Limits::memo).
    ///
    /// ```
    /// use halfsour::{ErrorKind, Limits, Unpickler};
    /// let unpickler = Unpickler::new().limits(Limits::default().memo(1));
    /// assert!(unpickler.load(b"]\x94.").is_ok());
    /// let error = unpickler.load(b"]\x94]\x94a.").unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Limit { what: "memo", limit: 1 });
    /// ```
    #[must_use]
    pub fn memo(mut self, memo: u64) -> Limits {
        self.memo = memo;
        self
    }

    /// These limits with another number of [`bytes`](Limits::bytes).
    ///
    /// ```
    /// use halfsour::{ErrorKind, Limits, Unpickler};
    /// let unpickler = Unpickler::new().limits(Limits::default().bytes(4));
    /// assert_eq!(unpickler.from_slice::<u16>(b"M\x02\x01.")?, 258);
    /// let error = unpickler.from_slice::<String>(b"\x8c\x04spam.").unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Limit { what: "bytes", limit: 4 });
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Limits {
        self.bytes = bytes;
        self
    }

    /// These limits with another number of [`digits`](Limits::digits).
    ///
    /// ```
    /// use halfsour::{Limits, Unpickler};
    /// let unpickler = Unpickler::new().limits(Limits::default().digits(20));
    /// let data = b"L123456789012345678901L\n.";
    /// assert!(unpickler.load(data).is_err());
    /// assert!(halfsour::load(data).is_ok());
    /// ```
    #[must_use]
    pub fn digits(mut self, digits: usize) -> Limits {
        self.digits = digits;
        self
    }

    /// These limits with another [`expansion`](Limits::expansion).
    ///
    /// ```
    /// use halfsour::{ErrorKind, Limits, Unpickler};
    /// // A list of a thousand ints, and a list that holds it a thousand times.
    /// let mut data = b"]q\0(".to_vec();
    /// data.extend(b"K\x01".repeat(1000));
    /// data.extend(b"e0](");
    /// data.extend(b"h\0".repeat(1000));
    /// data.extend(b"e.");
    /// let error = halfsour::from_slice::<Vec<Vec<u8>>>(&data).unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Limit { what: "expansion", limit: 16 });
    /// let unpickler = Unpickler::new().limits(Limits::default().expansion(1000));
    /// assert_eq!(unpickler.from_slice::<Vec<Vec<u8>>>(&data)?.len(), 1000);
    /// # Ok::<(), halfsour::Error>(())
    /// ```
    #[must_use]
    pub fn expansion(mut self, expansion: u32) -> Limits {
        self.expansion = expansion;
        self
    }
}

/// The steps inward that entered no container, but for the first at each depth: that one is counted by
/// the container around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    depth: u32,
    count: u32,
}

impl Default for Steps {
    fn default() -> Steps {
        // No depth that there is.
        Steps { depth: u32::MAX, count: 0 }
    }
}

/// So many bytes of text cost as much as a node.
const COPIED: u64 = 64;

/// So many bytes of text that is looked at cost as much.
const LOOKED_AT: usize = 8192;

/// What is left while a graph becomes typed values.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    /// How deep serde's recursion is: the cursor of typed reading counts its own.
    #[cfg(feature = "serde")]
    depth: u32,
    #[cfg(feature = "serde")]
    steps: Steps,
    #[cfg(feature = "serde")]
    objects: Steps,
    visits: u64,
}

impl Budget {
    /// For so many nodes and references, and so many bytes of text, of which [`copy`](Budget::copy) is told.
    pub(crate) fn new(limits: Limits, size: usize, text: usize) -> Budget {
        let size = size as u64 + text as u64 / COPIED;
        let visits = size.saturating_mul(limits.expansion.into()).max(1_000_000);
        Budget {
            limits,
            #[cfg(feature = "serde")]
            depth: 0,
            #[cfg(feature = "serde")]
            steps: Steps::default(),
            #[cfg(feature = "serde")]
            objects: Steps::default(),
            visits,
        }
    }

    /// For a graph and its out-of-band buffers.
    pub(crate) fn with_text(limits: Limits, graph: &Graph<'_>, buffers: &[&[u8]]) -> Budget {
        let apart: usize = buffers.iter().map(|bytes| bytes.len()).sum();
        Budget::new(limits, graph.size(), graph.text_size() + apart)
    }

    /// To be called for each value.
    #[cfg(feature = "serde")]
    #[inline]
    pub(crate) fn visit(&mut self) -> Result<(), Error> {
        self.visit_all(1)
    }

    /// To be called for so many values at once.
    #[inline]
    pub(crate) fn visit_all(&mut self, count: usize) -> Result<(), Error> {
        match self.visits.checked_sub(count as u64) {
            Some(left) => {
                self.visits = left;
                Ok(())
            }
            None => Err(self.exceeded()),
        }
    }

    /// The error of those that go beyond it.
    #[cold]
    pub(crate) fn exceeded(&self) -> Error {
        let limit = self.limits.expansion.into();
        ErrorKind::Limit { what: "expansion", limit }.into()
    }

    /// To be called for text or bytes that may be copied: what is short costs no more than its visit.
    #[inline]
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match bytes.len() as u64 / COPIED {
            0 => Ok(()),
            visits => self.visit_all(visits as usize),
        }
    }

    /// To be called for text that is only looked at.
    #[inline]
    pub(crate) fn look(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match bytes.len() / LOOKED_AT {
            0 => Ok(()),
            visits => self.visit_all(visits),
        }
    }

    /// To be called before what is inside of a value; then [`leave`](Budget::leave).
    #[cfg(feature = "serde")]
    #[inline]
    pub(crate) fn enter(&mut self) -> Result<(), Error> {
        self.depth = self.limits.deeper(self.depth)?;
        Ok(())
    }

    #[cfg(feature = "serde")]
    #[inline]
    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// To be called before a [step](Limits::step) inward; then [`step_back`](Budget::step_back) with
    /// what it gives.
    #[cfg(feature = "serde")]
    #[inline]
    pub(crate) fn step(&mut self) -> Result<Steps, Error> {
        let steps = self.limits.step(self.steps, self.depth)?;
        Ok(core::mem::replace(&mut self.steps, steps))
    }

    #[cfg(feature = "serde")]
    #[inline]
    pub(crate) fn step_back(&mut self, before: Steps) {
        self.steps = before;
    }

    /// The same for a step from an object to its state or its argument: these are counted apart.
    #[cfg(feature = "serde")]
    pub(crate) fn step_into_object(&mut self) -> Result<Steps, Error> {
        let steps = self.limits.step(self.objects, self.depth)?;
        Ok(core::mem::replace(&mut self.objects, steps))
    }

    #[cfg(feature = "serde")]
    pub(crate) fn step_out_of_object(&mut self, before: Steps) {
        self.objects = before;
    }
}
