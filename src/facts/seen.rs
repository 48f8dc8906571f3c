//! Typed absence: a fact is there, is known not to be there, or cannot be known, and why.

/// A fact that may be absent for several reasons. A rule cannot read the value without saying what absence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// It was said.
    Yes(T),
    /// It would have been seen, and was not said.
    No,
    /// It cannot be known.
    Unknown(Why),
}

/// Why something cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is protected and no key is at hand.
    Encrypted,
    /// Bytes are missing that may have held it.
    Gap,
    /// The capture cut the packet, or ends inside the message.
    Truncated,
    /// The capture began after it.
    MidStream,
    /// That direction was not captured.
    OneSided,
    /// It may still come.
    NotYet,
    /// A cap of the decoder was reached before.
    Limit,
}

impl<T> Seen<T> {
    /// The value, when it is there.
    pub fn yes(self) -> Option<T> {
        match self {
            Self::Yes(v) => Some(v),
            _ => None,
        }
    }

    /// True when it is known not to be there.
    pub fn is_no(&self) -> bool {
        matches!(self, Self::No)
    }
}
