//! Nothing of a customer, host or workload reaches any file.

use super::*;

/// Every free text of the fixture begins with this, in some case, or is one of [`TELLTALES`].
const MARK: &str = "zz";

/// What the ledger counts for colleagues, an address, and the words for holds.
const TELLTALES: [&str; 10] = [
    "203.0.113.77",
    "987654",
    "987,654",
    "987652",
    "987651",
    "example.com",
    "b.v.",
    "abuse",
    "legal",
    "auth",
];

#[test]
fn no_file_names_a_customer_a_host_or_a_workload() {
    let mut snapshot = snapshot([3, 3, 3, 3, 3, 3, 3, 3]);
    for (customer, hold) in
        snapshot.customers.iter_mut().zip([Hold::Abuse, Hold::Legal, Hold::Customer])
    {
        customer.hold = hold;
    }
    let fixture = serde_json::to_string(&snapshot).unwrap().to_lowercase();
    for text in std::iter::once(MARK).chain(["203.0.113.77", "987654", "b.v.", "abuse", "auth"]) {
        assert!(fixture.contains(text), "the fixture lost {text}");
    }
    let rendered = render(&StatusPage::new(&snapshot, &site())).unwrap();
    assert_eq!(rendered.files.len(), 33);
    for (path, content) in &rendered.files {
        let text = format!("{path}\n{}", String::from_utf8_lossy(content)).to_lowercase();
        // Feeds have an element of that name.
        let text = text.replace("author", "");
        for telltale in std::iter::once(MARK).chain(TELLTALES) {
            assert!(!text.contains(telltale), "{path} holds {telltale}");
        }
    }
}

#[test]
fn equal_counts_give_equal_bytes_whoever_is_behind_them() {
    let first = snapshot([2, 0, 1, 0, 0, 4, 0, 1]);
    let mut second = first.clone();
    second.customers.reverse();
    second.hosts.clear();
    second.reasons.clear();
    second.bottleneck = None;
    second.totals = Totals::default();
    for (number, customer) in second.customers.iter_mut().enumerate() {
        customer.id = format!("other-{number}").parse().unwrap();
        customer.name = "Somebody else".to_owned();
        customer.workloads.push(workload(77, customer.state));
    }
    let render = |snapshot: &Snapshot| super::render(&StatusPage::new(snapshot, &site())).unwrap();
    assert_eq!(render(&first), render(&second));
}
