//! How much memory requests and their answers take together, and what each organization has of that.
//!
//! Counted are a body as it comes, what its values become, what the operation may hold, ahead by its points
//! and then by the rows that it reads, and the answer until its client has taken it. A quarter is for
//! publishing, and readers cannot take it. No organization may have more than half, so none keeps the
//! others out.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use entity::OrganizationId;
use parking_lot::{Mutex, MutexGuard};

use crate::rules::json;

/// What a value of JSON takes when it has been read, however short it is: numbers are held as texts.
const VALUE: usize = 125;

/// What there is, and what is taken of it.
#[derive(Debug)]
pub struct Memory {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    reading: usize,
    by_organization: HashMap<(OrganizationId, Purpose), usize>,
}

/// What memory is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Whatever is not publishing.
    Reading,
    /// Publishing events: it has a place that nothing else can take.
    Publishing,
}

/// Who has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The request alone takes more than there ever can be for it.
    Request,
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
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    purpose: Purpose,
    bytes: usize,
    /// How much of that was taken ahead and is not used yet.
    ahead: usize,
    refused: Option<Full>,
}

impl Memory {
    /// So many bytes.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// The share of a request by this organization: nothing yet.
    pub fn share(self: &Arc<Self>, organization: OrganizationId, purpose: Purpose) -> Share {
        let held = Mutex::new(Held { purpose, bytes: 0, ahead: 0, refused: None });
        Share { memory: Arc::clone(self), organization, held }
    }

    /// The most that may be taken for a purpose.
    fn place(&self, purpose: Purpose) -> usize {
        match purpose {
            Purpose::Reading => self.most - self.most / 4,
            Purpose::Publishing => self.most,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock()
    }
}

impl Share {
    /// Takes more.
    ///
    /// # Errors
    /// When there is not so much. Nothing was taken.
    pub fn grow(&self, bytes: usize) -> Result<(), Full> {
        self.grow_held(&mut self.held(), bytes)
    }

    /// Takes what is going to be used.
    ///
    /// # Errors
    /// When there is not so much. Nothing was taken.
    pub fn take_ahead(&self, bytes: usize) -> Result<(), Full> {
        let mut held = self.held();
        self.grow_held(&mut held, bytes)?;
        held.ahead = held.ahead.saturating_add(bytes);
        Ok(())
    }

    /// Uses what was taken ahead, and takes more when that is used up.
    ///
    /// # Errors
    /// When there is not so much.
    pub fn use_up(&self, bytes: usize) -> Result<(), Full> {
        let mut held = self.held();
        let more = bytes.saturating_sub(held.ahead);
        held.ahead = held.ahead.saturating_sub(bytes);
        self.grow_held(&mut held, more)
    }

    /// Counts from now on what the request has taken, and what it takes, for another purpose.
    ///
    /// # Errors
    /// When there is not so much for that.
    pub fn turn_to(&self, purpose: Purpose) -> Result<(), Full> {
        let mut held = self.held();
        if held.purpose == purpose {
            return Ok(());
        }
        let bytes = std::mem::take(&mut held.bytes);
        self.memory.taken().remove(&self.organization, held.purpose, bytes);
        held.purpose = purpose;
        self.grow_held(&mut held, bytes)
    }

    /// What was refused, if anything was: what is made without it is not whole.
    pub fn refused(&self) -> Option<Full> {
        self.held().refused
    }

    fn grow_held(&self, held: &mut Held, bytes: usize) -> Result<(), Full> {
        let Err(full) = self.try_to_grow(held, bytes) else { return Ok(()) };
        held.refused.get_or_insert(full);
        Err(full)
    }

    fn try_to_grow(&self, held: &mut Held, bytes: usize) -> Result<(), Full> {
        let (purpose, half, place) = (held.purpose, self.memory.most / 2, self.memory.place(held.purpose));
        if held.bytes.saturating_add(bytes) > half {
            return Err(Full::Request);
        }
        let mut taken = self.memory.taken();
        let own = taken.of(&self.organization, purpose);
        if own.saturating_add(bytes) > half {
            return Err(Full::Organization);
        }
        if taken.for_purpose(purpose).saturating_add(bytes) > place {
            return Err(Full::Server);
        }
        taken.add(&self.organization, purpose, bytes);
        held.bytes += bytes;
        Ok(())
    }

    /// An answer that gives the share back when it has been sent, or will not be. It is not asked whether
    /// there is room: what was done cannot be undone for want of it.
    pub fn keep(self: Arc<Self>, answer: Bytes) -> Bytes {
        let mut held = self.held();
        let mut taken = self.memory.taken();
        taken.remove(&self.organization, held.purpose, held.bytes);
        taken.add(&self.organization, held.purpose, answer.len());
        (held.bytes, held.ahead) = (answer.len(), 0);
        drop((taken, held));
        Bytes::from_owner(Kept { answer, _share: self })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let held = self.held();
        self.memory.taken().remove(&self.organization, held.purpose, held.bytes);
    }
}

struct Kept {
    answer: Bytes,
    _share: Arc<Share>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

impl Taken {
    fn of(&self, organization: &OrganizationId, purpose: Purpose) -> usize {
        self.by_organization.get(&(organization.clone(), purpose)).copied().unwrap_or_default()
    }

    /// What stands in the way of more for this purpose.
    fn for_purpose(&self, purpose: Purpose) -> usize {
        match purpose {
            Purpose::Reading => self.reading,
            Purpose::Publishing => self.in_all,
        }
    }

    fn add(&mut self, organization: &OrganizationId, purpose: Purpose, bytes: usize) {
        if bytes > 0 {
            self.in_all += bytes;
            self.reading += if purpose == Purpose::Reading { bytes } else { 0 };
            *self.by_organization.entry((organization.clone(), purpose)).or_default() += bytes;
        }
    }

    fn remove(&mut self, organization: &OrganizationId, purpose: Purpose, bytes: usize) {
        self.in_all -= bytes;
        self.reading -= if purpose == Purpose::Reading { bytes } else { 0 };
        let key = (organization.clone(), purpose);
        if let Some(own) = self.by_organization.get_mut(&key) {
            *own -= bytes;
            if *own == 0 {
                self.by_organization.remove(&key);
            }
        }
    }
}

/// What the values of a text of JSON take when they have been read, besides the text itself.
pub fn of_values(text: &[u8]) -> usize {
    json::values(text) * VALUE
}

#[cfg(test)]
mod tests {
    use Purpose::{Publishing, Reading};
    use entity::Timestamp;

    use super::*;

    fn organization() -> OrganizationId {
        OrganizationId::new(Timestamp::from_millis(1_700_000_000_000))
    }

    #[test]
    fn one_organization_may_take_half_and_all_together_leave_room_for_publishing() {
        let (memory, greedy, modest) = (Memory::new(100), organization(), organization());
        let first = memory.share(greedy.clone(), Reading);
        assert_eq!(first.grow(30), Ok(()));
        assert_eq!(first.grow(20), Ok(()));
        assert_eq!(first.grow(1), Err(Full::Request));
        assert_eq!(memory.share(greedy.clone(), Reading).grow(1), Err(Full::Organization));
        let second = memory.share(modest, Reading);
        assert_eq!(second.grow(16), Ok(()));
        let third = memory.share(organization(), Reading);
        assert_eq!((third.grow(10), third.refused()), (Err(Full::Server), Some(Full::Server)));
        assert_eq!(third.grow(9), Ok(()));
        let publishing = memory.share(greedy.clone(), Publishing);
        assert_eq!(publishing.grow(25), Ok(()));
        assert_eq!(publishing.grow(1), Err(Full::Server));
        drop(first);
        assert_eq!(publishing.grow(25), Ok(()));
        drop((second, third, publishing));
        let taken = memory.taken();
        assert_eq!((taken.in_all, taken.reading, taken.by_organization.len()), (0, 0, 0));
    }

    #[test]
    fn a_draft_made_ahead_is_used_first() {
        let memory = Memory::new(100);
        let share = memory.share(organization(), Reading);
        assert_eq!(share.take_ahead(30), Ok(()));
        assert_eq!(share.use_up(20), Ok(()));
        assert_eq!(memory.taken().in_all, 30);
        assert_eq!(share.use_up(20), Ok(()));
        assert_eq!(memory.taken().in_all, 40);
        assert_eq!(share.use_up(11), Err(Full::Request));
        assert_eq!(share.refused(), Some(Full::Request));
    }

    #[test]
    fn requests_that_publish_nothing_leave_the_memory_of_publishing() {
        let memory = Memory::new(100);
        let [reader, other] = [40, 20].map(|bytes| {
            let share = memory.share(organization(), Reading);
            assert_eq!(share.grow(bytes), Ok(()));
            share
        });
        let share = memory.share(organization(), Publishing);
        assert_eq!(share.grow(30), Ok(()));
        assert_eq!(share.turn_to(Reading), Err(Full::Server));
        assert_eq!(memory.taken().in_all, 60);
        drop(other);
        let share = memory.share(organization(), Publishing);
        assert_eq!((share.grow(30), share.turn_to(Reading)), (Ok(()), Ok(())));
        let taken = || {
            let taken = memory.taken();
            (taken.in_all, taken.reading)
        };
        assert_eq!(taken(), (70, 70));
        drop((reader, share));
        assert_eq!(taken(), (0, 0));
    }

    #[test]
    fn an_answer_counts_until_all_of_it_is_gone() {
        let (memory, greedy) = (Memory::new(100), organization());
        let share = Arc::new(memory.share(greedy.clone(), Reading));
        assert_eq!(share.grow(40), Ok(()));
        let mut answer = share.keep(vec![0; 60].into());
        let rest = answer.split_off(59);
        drop(answer);
        assert_eq!(memory.share(greedy.clone(), Reading).grow(1), Err(Full::Organization));
        drop(rest);
        assert_eq!(memory.share(greedy, Reading).grow(50), Ok(()));
    }
}
