//! What the coordinator is told of hosts in its tests.

use super::*;

/// A first pass, from its beginning, of one workload on a host of its own.
pub(super) fn assignment(number: u64) -> Assignment {
    Assignment {
        session: SessionId(number),
        host: HostId::new(format!("h{number}")).unwrap(),
        workload: WorkloadId::new(format!("w{number}")).unwrap(),
        tenant: Tenant::HOUSE,
        pass: PassNumber(1),
        is_resumed: false,
        run: RunNumber(0),
        is_delta: false,
        segment: 0,
        paths: vec![TreePath::root()],
        cursor: None,
        rtt: Duration::ZERO,
        passes: Vec::new(),
        level: 0,
    }
}
