//! Who may rely on whose chunks, also after the store was opened again.

use std::slice::from_ref;

use super::*;

/// Workloads `a1` and `a2` are of one customer, `b` and `c` of others, `h` is the house's.
fn tenants() -> Tenants {
    let mut tenants = Tenants::default();
    for (id, name) in [("a1", "a"), ("a2", "a"), ("b", "b"), ("c", "c")] {
        tenants.set(&workload(id), Some(name));
    }
    tenants.set(&workload("h"), None);
    tenants
}

fn open(bench: &Bench, tenants: Tenants) -> (Store, Writer) {
    let disk = Arc::new(bench.disk.clone());
    let (store, writer, _) = Store::open_for(disk, Arc::clone(&bench.keys), tenants).unwrap();
    (store, writer)
}

/// For whom a chunk counts, of all workloads.
fn served(store: &Store, content: &[u8], bench: &Bench) -> Vec<&'static str> {
    let (id, of) = (bench.key().name(content), tenants());
    let all = ["a1", "a2", "b", "c", "h"].into_iter();
    all.filter(|name| store.serves(&id, of.of(&workload(name)))).collect()
}

#[test]
fn a_chunk_serves_its_customer_then_everybody_before_and_after_a_crash() {
    let bench = Bench::new();
    let (store, mut writer) = open(&bench, tenants());
    let (one, two) = (noise(1, 5_000), noise(2, 5_000));
    assert_eq!(append(&bench, &mut writer, "a1", from_ref(&one)).new_chunks, 1);
    assert_eq!(served(&store, &one, &bench), ["a1", "a2", "h"]);
    let again = append(&bench, &mut writer, "a2", from_ref(&one));
    assert_eq!(again.stored_bytes, Bytes(0), "of the same customer");
    assert_eq!(append(&bench, &mut writer, "h", from_ref(&one)).stored_bytes, Bytes(0));
    append(&bench, &mut writer, "a1", from_ref(&two));
    writer.commit().unwrap();
    let second = append(&bench, &mut writer, "b", from_ref(&one));
    assert!(second.stored_bytes > Bytes(0), "that he sent it too must be seen later");
    assert_eq!((second.new_chunks, second.reused_chunks), (0, 1));
    let everybody = ["a1", "a2", "b", "c", "h"];
    assert_eq!(served(&store, &one, &bench), everybody);
    assert_eq!(append(&bench, &mut writer, "c", from_ref(&one)).stored_bytes, Bytes(0));
    writer.commit().unwrap();
    drop((store, writer));

    for _ in 0..2 {
        // First from packs that nobody sealed, then from the index log.
        let (store, writer) = open(&bench, tenants());
        assert_eq!(served(&store, &one, &bench), everybody);
        assert_eq!(served(&store, &two, &bench), ["a1", "a2", "h"]);
        assert_eq!(content(&store, &bench.key().name(&one)), Some(one.clone()));
        writer.close().unwrap();
    }
}

#[test]
fn two_copies_of_one_customer_are_one_word() {
    let bench = Bench::new();
    let (store, mut writer) = open(&bench, tenants());
    let (one, two, three) = (noise(1, 900), noise(2, 900), noise(3, 900));
    append(&bench, &mut writer, "a1", &[one.clone(), two.clone()]);
    // A frame that also brings something new is kept whole.
    append(&bench, &mut writer, "a2", &[one.clone(), three]);
    assert_eq!(served(&store, &one, &bench), ["a1", "a2", "h"]);
    writer.close().unwrap();
    let (store, _) = open(&bench, tenants());
    assert_eq!(served(&store, &one, &bench), ["a1", "a2", "h"]);
}

#[test]
fn what_the_inventory_says_now_counts() {
    let bench = Bench::new();
    let (store, mut writer) = open(&bench, tenants());
    let one = noise(1, 900);
    append(&bench, &mut writer, "h", from_ref(&one));
    assert_eq!(served(&store, &one, &bench), ["a1", "a2", "b", "c", "h"]);
    // Somebody notes in the middle of a run that a customer has root there.
    store.set_tenant(&workload("h"), Some("mallory"));
    assert_eq!(served(&store, &one, &bench), ["h"]);
    writer.close().unwrap();
    drop(store);

    let mut later = tenants();
    later.set(&workload("h"), Some("b"));
    let (store, _) = open(&bench, later);
    assert_eq!(served(&store, &one, &bench), ["b", "h"]);
    // A workload that is in no inventory any more serves the house alone.
    let (store, _) = open(&bench, Tenants::default());
    let id = bench.key().name(&one);
    assert!(store.contains(&id) && store.serves(&id, Tenant::HOUSE));
    let mut some = Tenants::default();
    assert!(!store.serves(&id, some.set(&workload("x"), Some("x"))));
}
