//! Lies of a target: each ends its restore with a reason, and nobody believes that anything was
//! restored.

use std::sync::Arc;

use evac::ledger::RestorationState;
use evac::model::{Event, EventSink, Reason};
use evac::restore::FrameCache;
use evac::run::restore::{Job, Restorer};

use super::ground::{Ground, honest};
use super::{PATIENCE, pace};

const LIES: [(&str, Reason, &str); 12] = [
    ("a batch that was never sent", Reason::Protocol, "wrote what was not sent"),
    ("a batch written twice", Reason::Protocol, "wrote what was not sent"),
    ("done before it began", Reason::Protocol, "done before everything was sent"),
    ("done without writing", Reason::Protocol, "done before everything was sent"),
    ("ready twice", Reason::Protocol, "does not belong to a restore"),
    ("looked at what was never sent", Reason::Protocol, "looked at what was not sent"),
    ("an offer from a target", Reason::Protocol, "does not belong to a restore"),
    ("a full landing disk over there", Reason::Protocol, "your disk is full"),
    ("a target that only beats", Reason::Timeout, "got nowhere"),
    ("a target that falls silent", Reason::Timeout, "was silent"),
    ("a target that hangs up", Reason::Lost, "ended"),
    ("another version", Reason::Protocol, "speaks version 2"),
];

#[test]
fn each_lie_of_a_target_ends_its_restore() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let targets = LIES.map(|(lie, ..)| lie);
        let mut ground = Ground::new(None, &targets).await;
        let told = ground.run(&[honest()], PATIENCE, pace(PATIENCE.silence), |_, _| {}).await;
        assert_eq!(told.end.report.captured, 1);
        let pass = ground.check_honest();
        let sink: Arc<dyn EventSink> = Arc::new(|_: &Event| {});
        let restorer = Restorer {
            reach: Arc::new(ground.reach(PATIENCE)),
            store: ground.site.store.clone(),
            frames: FrameCache::new(ground.site.store.clone(), 1 << 20),
            ledger: ground.site.ledger.clone(),
            events: sink,
            by: "test".to_owned(),
        };
        for (target, (lie, reason, what)) in ground.site.settings.targets.iter().zip(LIES) {
            let job = Job {
                workload: honest(),
                pass,
                root: "/nonexistent/evac-lies".parse().unwrap(),
                include: Vec::new(),
                overwrite: false,
                map_users: false,
            };
            let outcomes = restorer.onto(target, vec![job]).await;
            let error = outcomes[0].1.as_ref().expect_err(lie);
            assert_eq!(error.reason, reason, "{lie}: {error}");
            assert!(error.detail.contains(what), "{lie}: {error}");
            let place = format!("target:{}:/nonexistent/evac-lies", target.id);
            let known = ground.site.ledger.restoration(&honest(), pass, &place).unwrap();
            assert!(known.is_none_or(|known| known.state == RestorationState::Writing), "{lie}");
            let state = ground.site.ledger.state(&honest()).unwrap();
            assert_ne!(state.restore, evac::ledger::snapshot::RestoreState::Restored, "{lie}");
        }
        ground.check_honest();
        ground.end().await;
    });
}
