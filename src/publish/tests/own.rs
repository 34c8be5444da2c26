//! Customers' own pages: what is theirs, and nothing else.

use std::net::IpAddr;

use super::*;
use crate::inventory::{Inventory, SourceFile, read_files};
use crate::publish::OwnPage;
use crate::publish::own::{Answers, Standing, Step, own_page, questions};
use crate::publish::token::{Token, TokenFile};

/// An inventory for the customers of [`snapshot`].
pub(super) fn inventory(customers: usize) -> Inventory {
    let mut text = String::new();
    for number in 0..customers {
        let (high, low) = (number / 200, number % 200);
        text.push_str(&format!(
            "[[customer]]\nid = \"zz-customer-{number}\"\nname = \"ZZ Name {number} B.V.\"\n\
             language = \"nl\"\ndomains = [\"zz-shop-{number}.example.com\"]\n\
             [[host]]\nid = \"zz-host-{number}\"\naddress = \"10.1.{high}.{low}\"\n\
             [[host.workload]]\nid = \"zz-workload-{number}\"\n\
             customer = \"zz-customer-{number}\"\n\
             paths = [\"/srv\"]\n\
             addresses = [{{ old = \"10.1.{high}.{low}\", new = \"10.2.{high}.{low}\" }}]\n\
             checks = [{{ ssh = \"10.2.{high}.{low}:22\", host_key = \"SHA256:{number:0>43}\" }}]\n"
        ));
    }
    let settings = SourceFile::new("evac.toml", "[site]\nname = \"x\"");
    read_files(&settings, &[SourceFile::new("inventory.toml", &text)]).inventory
}

pub(super) fn tokens(count: usize) -> Vec<Token> {
    let top = tempfile::tempdir().unwrap();
    let ids: Vec<_> = (0..count).map(|n| format!("zz-customer-{n}").parse().unwrap()).collect();
    let issued = TokenFile::of(top.path()).issue(&ids, "jo", time("2030-03-04T02:50:00Z")).unwrap();
    ids.iter().map(|id| issued[id].token.clone()).collect()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn what_his_dns_shows_decides_what_he_has_to_do() {
    let (inventory, token) = (inventory(1), tokens(1).remove(0));
    let online = customer(0, PublicWord::Online);
    let domain = "zz-shop-0.example.com".to_owned();
    assert_eq!(questions(&online, &inventory), std::slice::from_ref(&domain));
    let steps = |answer: Option<&[&str]>| {
        let seen = answer.map(|seen| seen.iter().map(|text| address(text)).collect());
        let answers = Answers::from([(domain.clone(), seen)]);
        let page = own_page(&online, &inventory, &answers, token.clone(), Language::En);
        let Standing::Services { steps, .. } = page.standing else { panic!("{page:?}") };
        steps
    };
    let key = Step::Key { address: "10.2.0.0".into(), key: format!("SHA256:{:0>43}", 0) };
    let (old, new) = (address("10.1.0.0"), address("10.2.0.0"));
    let domain = domain.clone();
    for (answer, expected) in [
        (Some(&["10.1.0.0"][..]), Step::DnsOld { domain: domain.clone(), old, new }),
        (Some(&["10.2.0.0", "10.1.0.0"]), Step::DnsOld { domain: domain.clone(), old, new }),
        (Some(&["10.2.0.0"]), Step::DnsDone { domain: domain.clone() }),
        (Some(&["192.0.2.1"]), Step::DnsElsewhere { domain: domain.clone(), new }),
        (None, Step::DnsUnknown { domain: domain.clone(), new }),
    ] {
        assert_eq!(steps(answer), [expected, key.clone()], "{answer:?}");
    }
}

#[test]
fn nobody_is_asked_to_change_anything_before_he_is_online() {
    let inventory = inventory(1);
    for word in crate::publish::page::WORDS.into_iter().filter(|word| *word != PublicWord::Online) {
        let customer = customer(0, word);
        assert_eq!(questions(&customer, &inventory), <[String; 0]>::default());
        let token = tokens(1).remove(0);
        let page = own_page(&customer, &inventory, &Answers::new(), token, Language::En);
        if let Standing::Services { steps, .. } = page.standing {
            assert_eq!(steps, [], "{word:?}");
        }
    }
}

#[test]
fn a_held_customer_reads_what_everybody_in_trouble_reads() {
    let (inventory, token) = (inventory(1), tokens(1).remove(0));
    let html = |customer: &CustomerStatus| {
        let own = own_page(customer, &inventory, &Answers::new(), token.clone(), Language::En);
        assert_eq!(questions(customer, &inventory), <[String; 0]>::default());
        let path = format!("c/{}/index.html", token.secret());
        let page = StatusPage::new(&snapshot([1; 8]), &site());
        crate::publish::render(&page, &[own]).unwrap().files[&path].clone()
    };
    let trouble = html(&customer(0, PublicWord::NeedsAttention));
    for hold in [Hold::Abuse, Hold::Legal, Hold::Customer] {
        for word in crate::publish::page::WORDS {
            let held = CustomerStatus { hold, ..customer(0, word) };
            assert_eq!(html(&held), trouble, "{hold:?} {word:?}");
        }
    }
    let text = String::from_utf8(trouble).unwrap();
    assert!(text.contains("<html lang=\"nl\""), "his own language: {text}");
    assert!(!text.to_lowercase().contains("zz"), "{text}");
}

#[test]
fn five_hundred_customers_are_nowhere_but_on_their_own_pages() {
    let counts = [60, 60, 60, 60, 60, 140, 30, 30];
    let (snapshot, inventory, tokens) = (snapshot(counts), inventory(500), tokens(500));
    let answers: Answers = (0..500)
        .map(|n| (format!("zz-shop-{n}.example.com"), Some(vec![address("10.1.0.0")])))
        .collect();
    let own: Vec<OwnPage> = snapshot
        .customers
        .iter()
        .zip(&tokens)
        .map(|(c, token)| own_page(c, &inventory, &answers, token.clone(), Language::En))
        .collect();
    let mut site = Site { updates: updates(), ..site() };
    site.naming.smallest = 1_000;
    let rendered = crate::publish::render(&StatusPage::new(&snapshot, &site), &own).unwrap();
    let mut own_pages = 0;
    for (path, content) in &rendered.files {
        let text = String::from_utf8_lossy(content).to_lowercase();
        let whose = tokens.iter().position(|token| path.contains(token.secret()));
        let Some(number) = whose else {
            for telltale in ["zz", "10.1.", "10.2.", "example.com", "b.v.", "sha256"] {
                assert!(!text.contains(telltale), "{path} holds {telltale}");
            }
            assert!(!tokens.iter().any(|token| text.contains(token.secret())), "{path}");
            continue;
        };
        own_pages += 1;
        assert!(text.contains("noindex"), "{path}");
        // No id and no host of ours, no name; of labels and domains only his.
        for telltale in ["zz-customer", "zz-host", "zz-workload", "zz name", "zz-target", "zz-next"]
        {
            assert!(!text.contains(telltale), "{path} holds {telltale}");
        }
        let his = format!("zz-shop-{number}.example.com");
        assert_eq!(text.matches("zz-shop-").count(), text.matches(&his).count(), "{path}");
    }
    assert_eq!(own_pages, 500);
}

#[test]
fn the_list_of_files_keeps_the_secret_and_still_knows_its_own() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("status");
    let (inventory, token) = (inventory(1), tokens(1).remove(0));
    let page = StatusPage::new(&snapshot([1; 8]), &site());
    let own = own_page(
        &customer(0, PublicWord::Copied),
        &inventory,
        &Answers::new(),
        token.clone(),
        Language::En,
    );
    let publish = |own: &[OwnPage]| {
        crate::publish::publish_folder(&crate::publish::render(&page, own).unwrap(), &dir)
    };
    publish(std::slice::from_ref(&own)).unwrap();
    let list = std::fs::read_to_string(dir.join(".evac-files")).unwrap();
    assert!(!list.contains(token.secret()), "{list}");
    let path = dir.join("c").join(token.secret());
    assert!(path.join("index.html").is_file());
    // What somebody else puts there is still seen.
    std::fs::write(path.join("other"), "x").unwrap();
    assert!(matches!(publish(&[]), Err(PublishError::Foreign { .. })));
    std::fs::remove_file(path.join("other")).unwrap();
    publish(&[]).unwrap();
    assert!(!path.exists());
}
