//! What can be wrong: spans, faults of a run, and the codes a parser declares for its records.

use std::fmt;
use std::marker::PhantomData;

/// A half-open range of input bytes: `[offset, offset + length)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Where it starts, in bytes from the start of the input.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
}

impl Span {
    /// Returns the span of `length` bytes from `offset` on.
    pub const fn new(offset: u64, length: u64) -> Span {
        Span { offset, length }
    }

    /// Returns the span from `start` up to `end`; empty where `end` is not past `start`.
    pub const fn between(start: u64, end: u64) -> Span {
        Span { offset: start, length: end.saturating_sub(start) }
    }

    /// Returns the first offset past the span.
    pub const fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// Returns whether the span holds no byte.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns whether `offset` lies in the span.
    pub const fn contains(&self, offset: u64) -> bool {
        self.offset <= offset && offset < self.end()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}..{}", self.offset, self.end())
    }
}

/// Why a call of a parser failed as a whole: a refusal of the host, or an input that cannot be parsed at all.
///
/// It is one pointer wide, so that the results of hot calls stay in registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    code: String,
    message: String,
    at: Option<Span>,
}

impl Fault {
    /// Makes a fault. `code` is a short machine word (`[a-z][a-z0-9-]*`), `message` is for people.
    #[cold]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Fault {
        Fault(Box::new(Parts { code: code.into(), message: message.into(), at: None }))
    }

    /// Says where in the input it happened.
    #[must_use]
    pub fn at(mut self, span: Span) -> Fault {
        self.0.at = Some(span);
        self
    }

    /// Returns the machine word.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Returns the sentence for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns where in the input it happened, if that is known.
    pub fn span(&self) -> Option<Span> {
        self.0.at
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.message())?;
        match self.0.at {
            Some(span) => write!(f, " ({span})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

/// A code that a parser declares for what can be wrong with a record. Made by [`faults!`](crate::faults!).
pub trait FaultCode: Copy + 'static {
    /// Code and meaning of every fault, in the order of their indices.
    const ALL: &'static [(&'static str, &'static str)];

    /// Returns its place in [`FaultCode::ALL`].
    fn index(self) -> u16;
}

/// A set of the faults that `F` declares: what is wrong with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultSet<F> {
    bits: u64,
    kind: PhantomData<F>,
}

impl<F> Default for FaultSet<F> {
    fn default() -> Self {
        FaultSet::NONE
    }
}

impl<F> FaultSet<F> {
    /// The set of no fault.
    pub const NONE: FaultSet<F> = FaultSet { bits: 0, kind: PhantomData };

    /// Returns whether nothing is wrong.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// Returns the indices of its faults, ascending.
    pub fn indices(self) -> impl Iterator<Item = u16> {
        let mut rest = self.bits;
        std::iter::from_fn(move || {
            let index = (rest != 0).then(|| rest.trailing_zeros() as u16)?;
            rest &= rest - 1;
            Some(index)
        })
    }
}

impl<F: FaultCode> FaultSet<F> {
    /// Adds a fault.
    #[inline]
    pub fn insert(&mut self, fault: F) {
        self.bits |= 1 << (fault.index() & 63);
    }

    /// Returns the set with a fault more.
    #[inline]
    #[must_use]
    pub fn with(mut self, fault: F) -> FaultSet<F> {
        self.insert(fault);
        self
    }

    /// Returns whether the fault is in it.
    #[inline]
    pub fn contains(self, fault: F) -> bool {
        self.bits >> (fault.index() & 63) & 1 == 1
    }

    /// Returns the codes of its faults, in order of declaration.
    pub fn codes(self) -> impl Iterator<Item = &'static str> {
        self.indices().filter_map(|index| Some(F::ALL.get(usize::from(index))?.0))
    }
}

/// Declares the faults of a parser: an enum whose variants carry a code (`[a-z][a-z0-9_]*`) and whose doc comments become
/// the description's. At most 64.
///
/// ```
/// casparian_sdk::faults! {
///     /// What can be wrong with a pair.
///     pub enum PairFault {
///         /// The line holds no `=`.
///         NoEquals = "no_equals",
///     }
/// }
/// ```
#[macro_export]
macro_rules! faults {
    ($(#[$outer:meta])* $vis:vis enum $name:ident {
        $($(#[doc = $doc:literal])+ $variant:ident = $code:literal),+ $(,)?
    }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name { $($(#[doc = $doc])+ $variant),+ }

        impl $crate::FaultCode for $name {
            const ALL: &'static [(&'static str, &'static str)] = &[$(($code, concat!($($doc),+))),+];
            fn index(self) -> u16 { self as u16 }
        }
        const _: () = assert!(<$name as $crate::FaultCode>::ALL.len() <= 64, "a parser declares at most 64 faults");
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::faults! {
        enum Wrong {
            /// Too long.
            Long = "long",
            /// Too short.
            Short = "short",
        }
    }

    #[test]
    fn a_set_of_faults_lists_them_in_order_of_declaration() {
        let set = FaultSet::NONE.with(Wrong::Short).with(Wrong::Long);
        assert_eq!(set.codes().collect::<Vec<_>>(), ["long", "short"]);
        assert!(set.contains(Wrong::Long) && !FaultSet::NONE.contains(Wrong::Long));
    }

    #[test]
    fn a_fault_reads_well_and_is_one_pointer_wide() {
        let fault = Fault::new("no-header", "expected a header").at(Span::new(0, 7));
        assert_eq!(fault.to_string(), "no-header: expected a header (bytes 0..7)");
        assert_eq!(size_of::<Result<(), Fault>>(), size_of::<usize>());
    }
}
