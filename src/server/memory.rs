//! How much memory the bodies of requests and of answers take together, and what each organization has
//! of that.
//!
//! A body is counted as it comes, so whoever sends slowly takes little. An answer is counted until its
//! client has taken it: who lets answers lie around can ask for no more. No organization may have more
//! than half, so none keeps the others out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use entity::OrganizationId;

/// What there is, and what is taken of it.
#[derive(Debug)]
pub struct Memory {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    by_organization: HashMap<OrganizationId, usize>,
}

/// Who has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The organization has its half.
    Organization,
    /// All organizations together have all.
    Server,
}

/// What one request takes; it is given back when this is dropped.
#[derive(Debug)]
pub struct Share {
    memory: Arc<Memory>,
    organization: OrganizationId,
    bytes: usize,
}

impl Memory {
    /// So many bytes.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// The share of a request by this organization: nothing yet.
    pub fn share(self: &Arc<Self>, organization: OrganizationId) -> Share {
        Share { memory: Arc::clone(self), organization, bytes: 0 }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes more.
    ///
    /// # Errors
    /// When there is not so much. Nothing was taken.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let mut taken = self.memory.taken();
        let own = taken.by_organization.get(&self.organization).copied().unwrap_or_default();
        if own.saturating_add(bytes) > self.memory.most / 2 {
            return Err(Full::Organization);
        }
        if taken.in_all.saturating_add(bytes) > self.memory.most {
            return Err(Full::Server);
        }
        taken.add(&self.organization, bytes);
        self.bytes += bytes;
        Ok(())
    }

    /// The answer is there, and the request is done with. It is not asked whether there is room: what
    /// was done cannot be undone for want of it.
    fn turn_into_answer(&mut self, bytes: usize) {
        let mut taken = self.memory.taken();
        taken.remove(&self.organization, self.bytes);
        taken.add(&self.organization, bytes);
        self.bytes = bytes;
    }

    /// An answer that gives the share back when it has been sent, or will not be.
    pub fn keep(mut self, answer: Bytes) -> Bytes {
        self.turn_into_answer(answer.len());
        Bytes::from_owner(Kept { answer, _share: self })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.taken().remove(&self.organization, self.bytes);
    }
}

struct Kept {
    answer: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

impl Taken {
    fn add(&mut self, organization: &OrganizationId, bytes: usize) {
        if bytes > 0 {
            self.in_all += bytes;
            *self.by_organization.entry(organization.clone()).or_default() += bytes;
        }
    }

    fn remove(&mut self, organization: &OrganizationId, bytes: usize) {
        self.in_all -= bytes;
        if let Some(own) = self.by_organization.get_mut(organization) {
            *own -= bytes;
            if *own == 0 {
                self.by_organization.remove(organization);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use entity::Timestamp;

    use super::*;

    fn organization() -> OrganizationId {
        OrganizationId::new(Timestamp::from_millis(1_700_000_000_000))
    }

    #[test]
    fn an_organization_has_half_and_all_of_them_have_all() {
        let (memory, greedy, modest) = (Memory::new(100), organization(), organization());
        let mut first = memory.share(greedy.clone());
        assert_eq!(first.grow(30), Ok(()));
        assert_eq!(first.grow(20), Ok(()));
        assert_eq!(memory.share(greedy.clone()).grow(1), Err(Full::Organization));
        let mut second = memory.share(modest);
        assert_eq!(second.grow(41), Ok(()));
        let mut third = memory.share(organization());
        assert_eq!(third.grow(10), Err(Full::Server));
        assert_eq!(third.grow(9), Ok(()));
        drop(first);
        assert_eq!(third.grow(10), Ok(()));
        assert_eq!(memory.share(greedy).grow(40), Ok(()));
        drop((second, third));
        let taken = memory.taken();
        assert_eq!((taken.in_all, taken.by_organization.len()), (0, 0));
    }

    #[test]
    fn an_answer_counts_until_all_of_it_is_gone() {
        let (memory, greedy) = (Memory::new(100), organization());
        let mut share = memory.share(greedy.clone());
        assert_eq!(share.grow(40), Ok(()));
        let mut answer = share.keep(vec![0; 60].into());
        let rest = answer.split_off(59);
        drop(answer);
        assert_eq!(memory.share(greedy.clone()).grow(1), Err(Full::Organization));
        drop(rest);
        assert_eq!(memory.share(greedy).grow(50), Ok(()));
    }
}
