//! The bytes of a piece, in memory that is used again.
//!
//! A capture takes and drops gigabytes in pieces of up to 1 MiB. An allocator gives memory of that
//! size back to the system and asks for it again, at a page fault for every 4 KiB: measured with
//! eight hosts at once, two fifths of the agents' page faults and about a twentieth of their time.
//!
//! **Promises.** What is kept for later is at most [`KEPT_BYTES_MAX`]; a piece takes at most a
//! quarter more memory than it has bytes.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};

/// Memory kept for later, at most.
pub const KEPT_BYTES_MAX: usize = 24 << 20;
/// Shorter pieces are the allocator's business: it keeps their memory itself.
const POOLED_BYTES_MIN: usize = 32 << 10;
/// Sizes of memory between a power of two and the next.
const STEPS: usize = 4;

/// Memory of pieces that are gone.
#[derive(Debug, Default)]
pub struct Spare(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// By size, see [`size_of_class`].
    classes: Vec<Vec<Vec<u8>>>,
    bytes: usize,
}

impl Spare {
    /// A copy of `bytes`, which returns its memory here.
    pub fn copy(self: &Arc<Self>, bytes: &[u8]) -> Content {
        if bytes.len() < POOLED_BYTES_MIN {
            return Content::from(bytes.to_vec());
        }
        let class = class_of(bytes.len());
        let kept = self.kept().take(class);
        let mut copy = kept.unwrap_or_else(|| Vec::with_capacity(size_of_class(class)));
        copy.extend_from_slice(bytes);
        Content { bytes: copy, home: Some(self.clone()) }
    }

    /// Bytes that are kept.
    pub fn kept_bytes(&self) -> usize {
        self.kept().bytes
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("no holder of this lock panics")
    }

    fn put(&self, mut memory: Vec<u8>) {
        memory.clear();
        let class = class_of(memory.capacity());
        let mut kept = self.kept();
        // The allocator may give more than was asked for: then it belongs to no class.
        if memory.capacity() != size_of_class(class)
            || kept.bytes + memory.capacity() > KEPT_BYTES_MAX
        {
            return;
        }
        kept.bytes += memory.capacity();
        if kept.classes.len() <= class {
            kept.classes.resize_with(class + 1, Vec::new);
        }
        kept.classes[class].push(memory);
    }
}

impl Kept {
    fn take(&mut self, class: usize) -> Option<Vec<u8>> {
        let memory = self.classes.get_mut(class)?.pop()?;
        self.bytes -= memory.capacity();
        Some(memory)
    }
}

/// The smallest class whose memory holds so many bytes: [`STEPS`] for each power of two.
fn class_of(length: usize) -> usize {
    let above = length.max(POOLED_BYTES_MIN);
    let octave = (above.ilog2() - POOLED_BYTES_MIN.ilog2()) as usize;
    let step_bytes = (POOLED_BYTES_MIN << octave) / STEPS;
    octave * STEPS + (above - (POOLED_BYTES_MIN << octave)).div_ceil(step_bytes)
}

fn size_of_class(class: usize) -> usize {
    let octave_bytes = POOLED_BYTES_MIN << (class / STEPS);
    octave_bytes + class % STEPS * (octave_bytes / STEPS)
}

/// The bytes of a piece.
pub struct Content {
    bytes: Vec<u8>,
    home: Option<Arc<Spare>>,
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, home: None }
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Content {}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.bytes.len())
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.put(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_the_smallest_class_that_holds_it() {
        for class in 0..40 {
            let size = size_of_class(class);
            assert_eq!(class_of(size), class);
            assert_eq!(class_of(size + 1), class + 1);
            assert!(size_of_class(class + 1) <= size + size.div_ceil(STEPS));
        }
    }

    #[test]
    fn memory_is_used_again_and_what_is_kept_is_bounded() {
        let spare = Arc::new(Spare::default());
        let content = spare.copy(&[7; 100_000]);
        let place = content.as_ptr();
        assert_eq!(*content, [7; 100_000]);
        drop(content);
        assert_eq!(spare.kept_bytes(), 112 << 10);
        let again = spare.copy(&[8; 112_000]);
        assert_eq!((again.as_ptr(), again.len()), (place, 112_000));
        assert_eq!(spare.kept_bytes(), 0);
        let many: Vec<_> = (0..100).map(|n| spare.copy(&vec![n; 1 << 20])).collect();
        assert!((0..).zip(&many).all(|(n, content)| content.iter().all(|byte| *byte == n)));
        drop((many, again));
        assert!((23 << 20..=KEPT_BYTES_MAX).contains(&spare.kept_bytes()));
    }

    #[test]
    fn short_pieces_are_left_to_the_allocator() {
        let spare = Arc::new(Spare::default());
        drop(spare.copy(&[1; 4_096]));
        assert_eq!(spare.kept_bytes(), 0);
    }
}
