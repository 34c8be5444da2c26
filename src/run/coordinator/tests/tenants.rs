//! Hosts on which a customer is root: what others alone have sent is not there for them.

use super::*;

/// The customers `a` to `d`.
fn tenants() -> [Tenant; 4] {
    let mut all = crate::store::Tenants::default();
    ["a", "b", "c", "d"].map(|name| all.set(&WorkloadId::new(name).unwrap(), Some(name)))
}

impl World {
    fn guest(&mut self, number: u64, files: &[(&'static str, u8)], tenant: Tenant) -> SessionId {
        self.begin(files, Assignment { tenant, ..made::assignment(number) })
    }

    fn walk_all(&mut self, hosts: &[SessionId]) {
        for host in hosts {
            self.walk(*host);
        }
    }

    /// What a host sent, after all its pieces were asked for or not.
    fn captured(&mut self, number: u64, files: &[(&'static str, u8)], tenant: Tenant) -> usize {
        let host = self.guest(number, files, tenant);
        self.walk(host);
        self.deliver();
        assert!(self.hosts[&host].is_finished);
        self.hosts[&host].sent.len()
    }
}

#[test]
fn what_one_customer_alone_sent_is_sent_by_the_next_and_by_no_other() {
    let [a, b, c, d] = tenants();
    let mut world = World::new(Limits::default());
    assert_eq!(world.captured(1, &FILES, a), 3);
    assert_eq!(world.captured(2, &FILES, a), 0, "the same customer's other host");
    assert_eq!(world.captured(3, &FILES, Tenant::HOUSE), 0, "the house believes everybody");
    assert_eq!(world.captured(4, &FILES, b), 3);
    assert_eq!(world.captured(5, &FILES, b), 0);
    assert_eq!(world.captured(6, &FILES, c), 0, "two others have sent it");
    assert_eq!(world.captured(7, &FILES, d), 0);
}

#[test]
fn what_the_house_sent_is_there_for_everybody() {
    let [a, b, ..] = tenants();
    let mut world = World::new(Limits::default());
    assert_eq!(world.captured(1, &FILES, Tenant::HOUSE), 3);
    assert_eq!(world.captured(2, &FILES, a), 0);
    assert_eq!(world.captured(3, &FILES, b), 0);
}

#[test]
fn what_many_send_at_once_crosses_twice() {
    for count in 2..=8 {
        let mut all = crate::store::Tenants::default();
        let mut world = World::new(Limits::default());
        for number in 1..=count {
            let id = WorkloadId::new(format!("w{number}")).unwrap();
            let tenant = all.set(&id, Some(id.as_str()));
            let host = world.guest(number, &FILES, tenant);
            world.walk(host);
        }
        world.deliver();
        assert!(world.all_finished());
        assert_eq!(world.sent(), 6, "{count} customers");
        assert_eq!(world.coordinator.claims.len(), 0);
        assert_eq!(world.coordinator.wanted_bytes(), 0);
    }
}

#[test]
fn what_came_while_others_send_counts_as_one_of_two() {
    let [a, b, c, d] = tenants();
    let mut world = World::new(Limits::default());
    let (first, second) = (world.guest(1, &FILES, a), world.guest(2, &FILES, b));
    world.walk(first);
    world.walk(second);
    world.hosts.get_mut(&second).unwrap().is_stopped = true;
    let third = world.guest(3, &FILES, c);
    world.walk(third);
    world.deliver();
    assert!(world.hosts[&first].is_finished);
    assert!(!world.hosts[&third].is_finished, "the first alone has sent it so far");
    let fourth = world.guest(4, &FILES, d);
    world.walk(fourth);
    world.deliver();
    assert_eq!(world.sent(), 3, "the second still sends");
    world.hosts.get_mut(&second).unwrap().is_stopped = false;
    world.deliver();
    assert!(world.all_finished());
    assert_eq!(world.sent(), 6);
}

#[test]
fn a_second_that_ends_or_stalls_is_made_up_for() {
    let [a, b, c, _] = tenants();
    for ends in [true, false] {
        let mut world = World::new(Limits::default());
        let hosts = [(1, a), (2, b), (3, c)].map(|(n, tenant)| world.guest(n, &FILES, tenant));
        world.walk_all(&hosts);
        world.hosts.get_mut(&hosts[1]).unwrap().is_stopped = true;
        world.deliver();
        assert!(!world.hosts[&hosts[2]].is_finished);
        if ends {
            world.input(Input::Ended(hosts[1]));
        } else {
            world.pass(9);
        }
        world.deliver();
        assert!(world.hosts[&hosts[2]].is_finished);
        assert_eq!(world.hosts[&hosts[2]].sent.len(), 3);
        assert_eq!(world.hosts[&hosts[1]].sent.len(), 0);
        world.hosts.get_mut(&hosts[1]).unwrap().is_stopped = false;
        world.deliver();
        assert_eq!(world.hosts[&hosts[1]].is_finished, !ends);
        assert_eq!(world.coordinator.wanted_bytes(), 0);
    }
}

#[test]
fn a_first_that_ends_leaves_each_to_send_for_itself() {
    let [a, b, c, _] = tenants();
    let mut world = World::new(Limits::default());
    let hosts = [(1, a), (2, b), (3, c)].map(|(n, tenant)| world.guest(n, &FILES, tenant));
    world.walk_all(&hosts);
    world.hosts.get_mut(&hosts[0]).unwrap().is_stopped = true;
    world.input(Input::Ended(hosts[0]));
    world.deliver();
    assert!(hosts[1..].iter().all(|host| world.hosts[host].is_finished));
    assert_eq!(world.hosts[&hosts[2]].sent.len(), 3, "the second alone was not enough for it");
    assert_eq!(world.coordinator.claims.len(), 0);
}

#[test]
fn the_house_waits_for_a_customer_and_he_does_for_the_house() {
    let [a, b, ..] = tenants();
    let mut world = World::new(Limits::default());
    let hosts = [(1, a), (2, Tenant::HOUSE)].map(|(n, tenant)| world.guest(n, &FILES, tenant));
    world.walk_all(&hosts);
    world.deliver();
    assert_eq!((world.sent(), world.all_finished()), (3, true));

    let mut world = World::new(Limits::default());
    let hosts = [(1, Tenant::HOUSE), (2, a), (3, b)].map(|(n, of)| world.guest(n, &FILES, of));
    world.walk_all(&hosts);
    world.deliver();
    assert_eq!((world.sent(), world.all_finished()), (3, true));
}

#[test]
fn that_somebody_says_a_name_is_nobody_elses_business() {
    let [a, b, c, _] = tenants();
    let mut world = World::new(Limits::default());
    let first = world.guest(1, &FILES, a);
    world.walk_briefly(first);
    assert_eq!(world.asked.len(), 3);
    // While the first is being asked, and when it has said them and sent what they name.
    let second = world.guest(2, &FILES, b);
    world.walk_briefly(second);
    assert_eq!(world.asked.len(), 6, "asked as if nobody else had said it");
    while world.say_next() {}
    world.deliver();
    assert!(world.all_finished());
    assert_eq!(world.sent(), 6);
    // What two have sent has a name for everybody.
    let third = world.guest(3, &FILES, c);
    world.walk_briefly(third);
    assert_eq!(world.asked.len(), 0);
    assert!(world.all_finished());

    let mut world = World::new(Limits::default());
    assert_eq!(world.captured(1, &FILES, a), 3);
    let second = world.guest(2, &FILES, b);
    world.walk_briefly(second);
    assert_eq!(world.asked.len(), 3, "what one alone has sent has no name for others");
    while world.say_next() {}
    world.deliver();
    assert_eq!(world.hosts[&second].sent.len(), 3);
}
