//! Short names: what they spare, and that nobody is believed because of one.

use super::*;
use crate::wire::Sketch;

/// A store that tells which piece is meant, and knows who sent each.
pub(super) struct Stored<'a>(pub(super) &'a BTreeMap<ChunkId, BTreeSet<Tenant>>);

impl Known for Stored<'_> {
    fn serves(&self, id: &ChunkId, tenant: Tenant) -> bool {
        let may = |of: &BTreeSet<Tenant>| of.len() > 1 || of.contains(&Tenant::HOUSE);
        let of = self.0.get(id);
        of.is_some_and(|of| tenant == Tenant::HOUSE || of.contains(&tenant) || may(of))
    }

    fn find(&self, short: ShortId) -> Option<ChunkId> {
        let mut meant = self.0.keys().filter(|id| id.short() == short);
        meant.next().filter(|_| meant.next().is_none()).copied()
    }
}

/// Another piece of the same short name.
fn twin(n: u8) -> ChunkId {
    let mut twin = chunk(n);
    twin.0[31] ^= 1;
    assert_eq!(twin.short(), chunk(n).short());
    twin
}

impl World {
    fn sketch(&mut self, session: SessionId, number: u64, records: Vec<Record>) {
        let (sketch, tally) = (Box::new(Sketch::new(records)), WalkTally::default());
        let sketch = ToLanding::Sketch { number, sketch, cursor: None, tally };
        self.input(Input::Said(session, sketch));
    }

    /// The whole walk of a host, briefly.
    pub(super) fn walk_briefly(&mut self, session: SessionId) {
        let files = self.hosts[&session].files.clone();
        for (number, file) in files.iter().enumerate() {
            self.sketch(session, number as u64, records(&[*file]));
        }
        let (offers, count) = (files.len() as u64, 3 * files.len() as u64);
        self.walk_done(session, offers, count, 0);
    }

    fn say(&mut self, session: SessionId, offer: u64, names: Vec<ChunkId>) {
        self.input(Input::Said(session, ToLanding::Names { offer, names }));
    }

    /// Says what was asked for first, truly; false if nothing was.
    pub(super) fn say_next(&mut self) -> bool {
        if self.asked.is_empty() {
            return false;
        }
        let (id, offer) = self.asked.remove(0);
        let name = chunk(self.hosts[&id].files[offer as usize].1);
        self.say(id, offer, vec![name]);
        true
    }

    /// Says all names that were asked for; how many.
    fn say_names(&mut self) -> usize {
        std::iter::from_fn(|| self.say_next().then_some(())).count()
    }
}

#[test]
fn hosts_in_step_say_each_whole_name_and_each_piece_once() {
    let mut world = World::new(Limits::default());
    let hosts: Vec<_> = (1..=8).map(|n| world.host(n, &FILES)).collect();
    for host in &hosts {
        world.walk_briefly(*host);
    }
    assert!(world.asked.iter().all(|(id, _)| *id == hosts[0]));
    assert_eq!(world.say_names(), 3);
    world.pass(0);
    world.deliver();
    assert!(world.all_finished());
    assert_eq!((world.sent(), world.asked.len()), (3, 0));
    // What is stored has whole names already.
    let mut later = World { store: world.store, ..World::new(Limits::default()) };
    let late = later.host(9, &FILES);
    later.walk_briefly(late);
    assert!(later.all_finished());
    assert_eq!((later.sent(), later.asked.len()), (0, 0));
}

#[test]
fn whoever_was_asked_first_and_is_silent_is_not_waited_for_long() {
    let mut world = World::new(Limits::default());
    let (first, second) = (world.host(1, &FILES), world.host(2, &FILES));
    world.walk_briefly(first);
    world.walk_briefly(second);
    world.input(Input::Ended(first));
    world.asked.clear();
    world.pass(1);
    assert_eq!(world.asked, []);
    world.pass(1);
    assert_eq!(world.say_names(), 3);
    world.deliver();
    assert!(world.hosts[&second].is_finished);
}

#[test]
fn a_short_name_that_fits_another_piece_costs_a_question_and_no_more() {
    let mut world = World::new(Limits::default());
    world.store.insert(twin(1), BTreeSet::from([Tenant::HOUSE]));
    let host = world.host(1, &FILES);
    world.walk_briefly(host);
    assert_eq!(world.say_names(), 3);
    world.deliver();
    assert!(world.all_finished());
    assert_eq!(world.hosts[&host].sent, [chunk(1), chunk(2), chunk(3)]);
    // Of two that it fits, neither is taken for the one.
    let mut world = World { store: world.store, ..World::new(Limits::default()) };
    let second = world.host(2, &FILES[..1]);
    world.walk_briefly(second);
    assert_eq!(world.say_names(), 1);
    assert!(world.hosts[&second].is_finished);
    assert_eq!(world.sent(), 0);
    let named = world.segments.iter().flat_map(|segment| &segment.records).filter_map(piece_of);
    assert!(named.into_iter().all(|(piece, _)| piece != twin(1)));
}

#[test]
fn a_name_that_a_liar_said_is_not_believed_of_another() {
    let mut world = World::new(Limits::default());
    let (liar, honest) = (world.host(1, &FILES[..1]), world.host(2, &FILES[..1]));
    // The liar has the piece of that short name, as far as it says.
    let mut lie = records(&FILES[..1]);
    lie[1] = Record::Data { offset: 0, length: PIECE, id: twin(1) };
    world.offer(liar, 0, &lie);
    world.hosts.get_mut(&liar).unwrap().is_stopped = true;
    world.walk_briefly(honest);
    assert_eq!(world.say_names(), 1);
    world.deliver();
    assert!(world.hosts[&honest].is_finished);
    assert_eq!(world.hosts[&honest].sent, [chunk(1)]);
}

#[test]
fn names_that_are_not_what_was_offered_end_the_host() {
    let lies: [&[ChunkId]; 4] = [&[chunk(2)], &[], &[chunk(1), chunk(1)], &[twin(1)]];
    for lie in lies {
        let mut world = World::new(Limits::default());
        let host = world.host(1, &FILES);
        world.sketch(host, 0, records(&FILES[..1]));
        world.say(host, 0, lie.to_vec());
        if lie == [twin(1)] {
            // Asked once more, for all of them, it says the same.
            assert_eq!((world.hosts[&host].ended, world.asked.len()), (None, 2));
            world.say(host, 0, lie.to_vec());
        }
        assert_eq!(world.hosts[&host].ended, Some(Reason::Protocol), "{lie:?}");
        assert!(world.segments.is_empty() && world.queue.is_empty());
    }
}

#[test]
fn names_that_nobody_asked_for_end_the_host() {
    let mut world = World::new(Limits::default());
    let host = world.host(1, &FILES);
    world.sketch(host, 0, records(&FILES[..1]));
    world.say(host, 0, vec![chunk(1)]);
    assert_eq!((world.hosts[&host].ended, world.queue.len()), (None, 1));
    world.say(host, 0, vec![chunk(1)]);
    assert_eq!(world.hosts[&host].ended, Some(Reason::Protocol));
}

#[test]
fn while_the_disk_lags_few_names_are_asked_for_and_then_all_of_them() {
    let limits = Limits { held_bytes: 8_000, segment_held_bytes: 2_000, ..Limits::default() };
    let mut world = World::new(limits);
    let host = world.host(1, &many(1));
    world.lagging = Some(Vec::new());
    world.walk_briefly(host);
    let say_and_send = |world: &mut World| {
        let next = || {
            let is_said = world.say_next();
            world.deliver();
            is_said.then_some(())
        };
        std::iter::from_fn(next).count()
    };
    let mut said = say_and_send(&mut world);
    assert!((1..NAMES.len()).contains(&said), "{said}");
    while let Some(session) = world.lagging.as_mut().and_then(Vec::pop) {
        world.input(Input::Committed(session));
        world.deliver();
        said += say_and_send(&mut world);
    }
    assert_eq!((said, world.sent()), (NAMES.len(), NAMES.len()));
    assert!(world.all_finished());
}
