//! When the landing disks are full: what the plan moves, against what they have room for.
//!
//! What moves is what is stored, as far as anybody knows before: unique and compressed. A workload
//! is taken to arrive evenly between its first byte and its last.

use crate::model::Bytes;
use crate::plan::Planned;

/// What is stored as time passes.
pub(super) struct Filling {
    /// When the rate changes, and by how much, in the order of time.
    changes: Vec<(f64, f64)>,
}

impl Filling {
    pub(super) fn of(workloads: &[Planned]) -> Self {
        let mut changes = Vec::new();
        for planned in workloads.iter().filter(|planned| planned.bytes > Bytes::ZERO) {
            let (Some(start), Some(finish)) = (planned.start_s, planned.finish_s) else { continue };
            let (start, length) = (start as f64, finish.saturating_sub(start).max(1) as f64);
            let rate = planned.bytes.0 as f64 / length;
            changes.extend([(start, rate), (start + length, -rate)]);
        }
        changes.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { changes }
    }

    /// Spans in which the rate stays: from when to when, the rate, and what is stored before.
    fn spans(&self) -> impl Iterator<Item = (f64, f64, f64, f64)> {
        let (mut rate, mut stored) = (0.0, 0.0);
        self.changes.windows(2).map(move |pair| {
            let (from, to) = (pair[0].0, pair[1].0);
            rate += pair[0].1;
            let before = stored;
            stored += rate * (to - from);
            (from, to, rate, before)
        })
    }

    /// The second in which `room` is used up; `None`: it is enough.
    pub(super) fn full_s(&self, room: Bytes) -> Option<u64> {
        let room = room.0 as f64;
        // What rounding adds is nothing.
        let is_over = |stored: f64| stored > room + 1.0;
        let (from, _, rate, before) =
            self.spans().find(|(from, to, rate, before)| is_over(before + rate * (to - from)))?;
        Some((from + (room - before).max(0.0) / rate) as u64)
    }

    /// What is stored by then.
    pub(super) fn stored_by(&self, second: u64) -> Bytes {
        let at = second as f64;
        let of = |(from, to, rate, _): (f64, f64, f64, f64)| (at.min(to) - from).max(0.0) * rate;
        Bytes(self.spans().map(of).sum::<f64>().round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Class;

    fn planned(bytes: u64, start: u64, finish: u64) -> Planned {
        Planned {
            id: "w".parse().unwrap(),
            customer: "c".parse().unwrap(),
            host: "h".parse().unwrap(),
            class: Class::Web,
            uplink: None,
            target: None,
            bytes: Bytes(bytes),
            value: 1.0,
            level: 0,
            start_s: Some(start),
            finish_s: Some(finish),
            fits: true,
        }
    }

    #[test]
    fn disks_fill_as_work_arrives() {
        let of = |all: &[Planned]| Filling::of(all);
        let two = of(&[planned(1_000, 0, 100), planned(1_000, 50, 100), planned(500, 200, 250)]);
        assert_eq!(two.full_s(Bytes(500)), Some(50));
        assert_eq!(two.full_s(Bytes(1_250)), Some(75));
        assert_eq!(two.full_s(Bytes(2_000)), Some(200), "not before more comes");
        assert_eq!((two.full_s(Bytes(2_500)), two.full_s(Bytes(0))), (None, Some(0)));
        assert_eq!((two.stored_by(75), two.stored_by(1_000)), (Bytes(1_250), Bytes(2_500)));
        let never = Planned { finish_s: None, ..planned(9, 0, 9) };
        assert_eq!(of(&[never, planned(0, 0, 0)]).full_s(Bytes(0)), None);
        assert_eq!(of(&[planned(7, 3, 3)]).full_s(Bytes(5)), Some(3), "in less than a second");
    }
}
