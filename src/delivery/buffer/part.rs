//! Parts of a whole, in which limits are given.

/// One part in so many of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OneIn(pub usize);

impl OneIn {
    /// This part of the whole, rounded down.
    pub(crate) const fn of(self, whole: usize) -> usize {
        whole / self.0
    }
}
