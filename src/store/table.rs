//! A hash table for chunk ids that stays below 64 bytes a chunk while it grows (promise 8).
//!
//! A slot is 44 bytes: id 32, pack 4, offset 4, length 4; length 0 marks it free, and its highest
//! bit, which no frame needs, a chunk that two tenants have sent. Slots are kept
//! in the order of their hash (linear probing with ordered insertion; Amble and Knuth, "Ordered
//! hash tables", 1974), so a look-up of an absent id stops early even at a load of 0.85, and
//! growing by an eighth is one pass in order. Ids are keyed hashes: their own bytes are the hash.

use crate::model::{ChunkId, ShortId};
use crate::store::Place;

/// More than this share of slots is never used.
const LOAD_PERCENT_MAX: usize = 85;
const CAPACITY_MIN: usize = 16;
/// Of a length: several have sent the chunk.
const SHARED: u32 = 1 << 31;

#[derive(Debug, Clone, Copy)]
struct Slot {
    id: ChunkId,
    place: Place,
}

const FREE: Slot =
    Slot { id: ChunkId([0; ChunkId::LEN]), place: Place { pack: 0, offset: 0, length: 0 } };

/// Chunk ids and where their frames lie.
#[derive(Debug, Default)]
pub struct Table {
    slots: Vec<Slot>,
    /// Ids hash to a home below this; beyond it lie only slots that were pushed over the end.
    capacity: usize,
    used: usize,
    /// How many ids the next growth makes room for, if that is more than it would anyway.
    expected: usize,
}

/// The least capacity that takes `count` ids.
fn capacity_for(count: usize) -> usize {
    (count * 100).div_ceil(LOAD_PERCENT_MAX)
}

impl Slot {
    fn is_free(&self) -> bool {
        self.place.length == 0
    }

    fn place(&self) -> Place {
        Place { length: self.place.length & !SHARED, ..self.place }
    }

    /// Bytes that the choice of the shard does not use.
    fn hash(id: &ChunkId) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&id.0[8..16]);
        u64::from_le_bytes(bytes)
    }

    /// Between which hashes lie all ids of this short name.
    fn hashes_of(short: ShortId) -> (u64, u64) {
        let mut bytes = [0; 8];
        bytes[3..].copy_from_slice(&short.0[1..]);
        let first = u64::from_le_bytes(bytes);
        (first, first | 0xff_ffff)
    }

    fn key(&self) -> (u64, &ChunkId) {
        (Self::hash(&self.id), &self.id)
    }
}

impl Table {
    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Memory that the slots take.
    pub fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    /// Where `id` lies.
    pub fn get(&self, id: &ChunkId) -> Option<Place> {
        self.look(id).map(|(place, _)| place)
    }

    /// The same, and is it shared?
    pub fn look(&self, id: &ChunkId) -> Option<(Place, bool)> {
        let slot = self.slots.get(self.seek(id))?;
        let is_it = !slot.is_free() && slot.id == *id;
        is_it.then(|| (slot.place(), slot.place.length & SHARED != 0))
    }

    /// Several have sent it.
    pub fn share(&mut self, id: &ChunkId) {
        let at = self.seek(id);
        if let Some(slot) = self.slots.get_mut(at)
            && !slot.is_free()
            && slot.id == *id
        {
            slot.place.length |= SHARED;
        }
    }

    /// The id with this short name; `None` if there is none, or more than one.
    pub fn find(&self, short: ShortId) -> Option<ChunkId> {
        let (first, last) = Slot::hashes_of(short);
        let (mut at, end) = (self.home_of(first), self.home_of(last));
        let mut found = None;
        while let Some(slot) = self.slots.get(at) {
            let hash = Slot::hash(&slot.id);
            let is_behind = if slot.is_free() { at >= end } else { hash > last };
            if is_behind {
                break;
            }
            if !slot.is_free() && slot.id.short() == short && found.replace(slot.id).is_some() {
                return None;
            }
            at += 1;
        }
        found
    }

    /// Adds `id` unless it is there already; says whether it was added.
    pub fn insert(&mut self, id: ChunkId, place: Place) -> bool {
        debug_assert!((1..SHARED).contains(&place.length), "the bits of a length have a meaning");
        let mut at = self.seek(&id);
        if self.slots.get(at).is_some_and(|slot| !slot.is_free() && slot.id == id) {
            return false;
        }
        if (self.used + 1) * 100 > self.capacity * LOAD_PERCENT_MAX {
            let step = (self.capacity / 8).max(CAPACITY_MIN);
            self.resize((self.capacity + step).max(capacity_for(self.expected)));
            at = self.seek(&id);
        }
        let free = self.slots[at..].iter().position(Slot::is_free);
        let end = free.map_or(self.slots.len(), |distance| at + distance);
        if end == self.slots.len() {
            self.slots.push(FREE);
        }
        self.slots.copy_within(at..end, at + 1);
        self.slots[at] = Slot { id, place };
        self.used += 1;
        true
    }

    /// Forgets `id` if it lies in a frame for which `is_wanted` says so; says whether it did.
    pub fn remove_if(&mut self, id: &ChunkId, is_wanted: impl Fn(Place) -> bool) -> bool {
        if !self.get(id).is_some_and(is_wanted) {
            return false;
        }
        let mut at = self.seek(id);
        while let Some(next) = self.slots.get(at + 1).copied() {
            if next.is_free() || self.home(&next.id) > at {
                break;
            }
            self.slots[at] = next;
            at += 1;
        }
        self.slots[at] = FREE;
        self.used -= 1;
        true
    }

    fn home(&self, id: &ChunkId) -> usize {
        self.home_of(Slot::hash(id))
    }

    fn home_of(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.capacity as u128) >> 64) as usize
    }

    /// The slot that holds `id`, or the one where it belongs.
    fn seek(&self, id: &ChunkId) -> usize {
        let key = (Slot::hash(id), id);
        let home = self.home(id);
        let after = |slot: &Slot| slot.is_free() || slot.key() >= key;
        self.slots[home..].iter().position(after).map_or(self.slots.len(), |step| home + step)
    }

    /// About `count` ids will be inserted: room for them is made when the first one is.
    pub fn expect(&mut self, count: usize) {
        // Shards differ by chance; a growth by an eighth for a few more would cost a copy.
        self.expected = count + 4 * count.isqrt();
    }

    /// Gives back room for ids that were expected and did not come.
    pub fn fit(&mut self) {
        self.expected = 0;
        let needed = capacity_for(self.used);
        if self.capacity > needed + needed / 8 + CAPACITY_MIN {
            self.resize(needed);
        }
    }

    fn resize(&mut self, capacity: usize) {
        // The few that are pushed over the end must not double the memory.
        let mut slots = Vec::with_capacity(capacity + 32);
        slots.resize(capacity, FREE);
        let old = std::mem::replace(&mut self.slots, slots);
        self.capacity = capacity;
        let mut next = 0;
        for slot in old.into_iter().filter(|slot| !slot.is_free()) {
            let at = self.home(&slot.id).max(next);
            if at == self.slots.len() {
                self.slots.push(FREE);
            }
            self.slots[at] = slot;
            next = at + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn id(number: u32) -> ChunkId {
        ChunkId(*blake3::hash(&number.to_le_bytes()).as_bytes())
    }

    fn place(number: u32) -> Place {
        Place { pack: number, offset: number, length: number + 1 }
    }

    #[test]
    fn a_full_table_takes_at_most_64_bytes_a_chunk() {
        let mut table = Table::default();
        for number in 0..100_000 {
            assert!(table.insert(id(number), place(number)));
            if number > 1_000 {
                let each = table.memory_bytes() / table.len();
                assert!(each <= 64, "{each} bytes a chunk at {number}");
            }
        }
        assert!((0..100_000).all(|number| table.get(&id(number)) == Some(place(number))));
        assert!((100_000..200_000).all(|number| table.get(&id(number)).is_none()));
    }

    #[test]
    fn a_table_that_knows_what_comes_is_copied_never_and_holds_nothing_back() {
        let mut table = Table::default();
        table.expect(10_000);
        table.insert(id(0), place(0));
        let capacity = table.capacity;
        assert!((1..10_000).all(|number| table.insert(id(number), place(number))));
        assert_eq!(table.capacity, capacity);
        assert!(table.memory_bytes() / table.len() <= 64);
        let mut table = Table::default();
        table.expect(10_000);
        assert!((0..1_000).all(|number| table.insert(id(number), place(number))));
        table.fit();
        assert!(table.memory_bytes() / table.len() <= 64);
        assert!((0..1_000).all(|number| table.get(&id(number)) == Some(place(number))));
        assert!(table.insert(id(1_000), place(1_000)));
    }

    #[test]
    fn a_short_name_finds_its_chunk_wherever_it_lies_and_none_of_two() {
        let mut table = Table::default();
        assert_eq!(table.find(id(0).short()), None);
        (0..20_000).for_each(|number| assert!(table.insert(id(number), place(number))));
        for number in 0..20_000 {
            assert_eq!(table.find(id(number).short()), Some(id(number)));
            assert_eq!(table.find(id(number + 20_000).short()), None);
        }
        // Neighbours whose hashes differ only behind the short name, or only in the first byte.
        for (byte, is_same) in [(8, true), (10, true), (31, true), (11, false), (0, false)] {
            let mut other = id(7);
            other.0[byte] ^= 0x55;
            assert!(table.insert(other, place(1)));
            let found = table.find(id(7).short());
            assert_eq!(found, (!is_same).then(|| id(7)), "byte {byte}");
            assert!(table.remove_if(&other, |_| true));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_table_is_a_map(steps in prop::collection::vec((any::<bool>(), 0_u32..300), 0..800)) {
            let (mut table, mut map) = (Table::default(), HashMap::new());
            for (is_insert, number) in steps {
                // Few distinct hashes: long runs, shared homes, the end of the table.
                let mut id = id(number);
                id.0[8..15].fill(0xff);
                id.0[15] = 0xf0 | id.0[15] >> 5;
                if is_insert {
                    let is_new = !map.contains_key(&id);
                    map.entry(id).or_insert(place(number));
                    prop_assert_eq!(table.insert(id, place(number)), is_new);
                } else {
                    let is_there = map.remove(&id).is_some();
                    prop_assert_eq!(table.remove_if(&id, |_| true), is_there);
                }
                prop_assert_eq!(table.len(), map.len());
            }
            for number in 0..300 {
                let mut id = id(number);
                id.0[8..15].fill(0xff);
                id.0[15] = 0xf0 | id.0[15] >> 5;
                prop_assert_eq!(table.get(&id), map.get(&id).copied());
                let mut meant = map.keys().filter(|other| other.short() == id.short());
                let only = meant.next().filter(|_| meant.next().is_none());
                prop_assert_eq!(table.find(id.short()), only.copied());
            }
        }
    }
}
