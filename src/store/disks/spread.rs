//! Which disk the next pack begins on.

/// In proportion to the room of each, evenly in time: multiples of the golden ratio spread over
/// any range.
pub(super) fn pick(rooms: &[u64], turn: u64) -> Option<usize> {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let all: u64 = rooms.iter().sum();
    let mut left = (turn as f64 * GOLDEN).fract() * all as f64;
    for (at, room) in rooms.iter().enumerate() {
        if left < *room as f64 {
            return Some(at);
        }
        left -= *room as f64;
    }
    rooms.iter().rposition(|room| *room > 0)
}
