//! Who said something wrong lately, and is not answered for a while. Pure.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Wrong words a minute that are answered.
pub const WRONG_MAX: u32 = 5;
const MINUTE: Duration = Duration::from_secs(60);
/// Connections of one address at once: it may be that of many hosts behind one router, and must not
/// keep all others out.
pub const INSIDE_MAX: u32 = 64;
/// Addresses that are remembered. When there are more, no new one that errs is answered.
const ADDRESSES_MAX: usize = 4_096;

/// A wrong word, as it is to be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is answered; `is_first`: of this address, in this minute.
    Answered {
        /// Is it worth a line?
        is_first: bool,
    },
    /// It is not answered; from now on nothing of this address is, for a minute.
    Silenced {
        /// Did that begin just now?
        is_new: bool,
    },
}

/// Wrong words by address. An IPv6 customer has a /64: it counts as one.
#[derive(Debug, Default)]
pub struct Guesses {
    wrong: HashMap<[u8; 8], (u32, Duration)>,
    /// Connections that are open.
    inside: HashMap<[u8; 8], u32>,
}

impl Guesses {
    /// One more connection of this address; false: it has too many.
    pub fn enter(&mut self, address: IpAddr) -> bool {
        let count = self.inside.entry(network(address)).or_insert(0);
        let has_room = *count < INSIDE_MAX;
        *count += u32::from(has_room);
        has_room
    }

    /// One of them is over.
    pub fn leave(&mut self, address: IpAddr) {
        let network = network(address);
        if let Some(count) = self.inside.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.inside.remove(&network);
            }
        }
    }

    /// Is nothing of this address answered?
    pub fn is_silenced(&self, address: IpAddr, now: Duration) -> bool {
        self.wrong
            .get(&network(address))
            .is_some_and(|(count, until)| *count > WRONG_MAX && now < *until)
    }

    /// It said something wrong.
    pub fn wrong(&mut self, address: IpAddr, now: Duration) -> Wrong {
        let network = network(address);
        if self.wrong.len() >= ADDRESSES_MAX && !self.wrong.contains_key(&network) {
            self.wrong.retain(|_, (_, until)| now < *until);
            if self.wrong.len() >= ADDRESSES_MAX {
                return Wrong::Silenced { is_new: false };
            }
        }
        let entry = self.wrong.entry(network).or_insert((0, now + MINUTE));
        if entry.1 <= now {
            *entry = (0, now + MINUTE);
        }
        entry.0 = entry.0.saturating_add(1);
        if entry.0 <= WRONG_MAX {
            return Wrong::Answered { is_first: entry.0 == 1 };
        }
        // Whoever goes on meanwhile waits anew.
        entry.1 = now + MINUTE;
        Wrong::Silenced { is_new: entry.0 == WRONG_MAX + 1 }
    }
}

fn network(address: IpAddr) -> [u8; 8] {
    let mut network = [0; 8];
    match address.to_canonical() {
        IpAddr::V4(v4) => network[4..].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => network.copy_from_slice(&v6.octets()[..8]),
    }
    network
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_handful_a_minute_is_answered_then_none() {
        let mut guesses = Guesses::default();
        let (one, other) = ("203.0.113.9".parse().unwrap(), "203.0.113.8".parse().unwrap());
        assert_eq!(guesses.wrong(one, s(0)), Wrong::Answered { is_first: true });
        for second in 1..u64::from(WRONG_MAX) {
            assert_eq!(guesses.wrong(one, s(second)), Wrong::Answered { is_first: false });
        }
        assert!(!guesses.is_silenced(one, s(6)));
        assert_eq!(guesses.wrong(one, s(6)), Wrong::Silenced { is_new: true });
        assert!(guesses.is_silenced(one, s(65)) && !guesses.is_silenced(other, s(7)));
        assert!(!guesses.is_silenced(one, s(67)));
        assert_eq!(guesses.wrong(one, s(67)), Wrong::Answered { is_first: true });
    }

    #[test]
    fn one_address_does_not_take_every_place() {
        let mut guesses = Guesses::default();
        let (one, other) = ("203.0.113.9".parse().unwrap(), "203.0.113.8".parse().unwrap());
        assert!((0..INSIDE_MAX).all(|_| guesses.enter(one)));
        assert!(!guesses.enter(one) && guesses.enter(other));
        guesses.leave(one);
        assert!(guesses.enter(one));
        (0..INSIDE_MAX).for_each(|_| guesses.leave(one));
        guesses.leave(other);
        assert!(guesses.inside.is_empty());
    }

    #[test]
    fn a_network_counts_as_one_and_no_crowd_fills_the_memory() {
        let mut guesses = Guesses::default();
        for last in 0..=WRONG_MAX {
            guesses.wrong(format!("2001:db8:0:1::{last:x}").parse().unwrap(), s(0));
        }
        assert!(guesses.is_silenced("2001:db8:0:1::ffff".parse().unwrap(), s(1)));
        for number in 0..10_000_u32 {
            guesses.wrong(IpAddr::from(number.to_be_bytes()), s(1));
        }
        assert_eq!(guesses.wrong.len(), ADDRESSES_MAX);
        let late = IpAddr::from([9, 9, 9, 9]);
        assert_eq!(guesses.wrong(late, s(100)), Wrong::Answered { is_first: true });
    }
}
