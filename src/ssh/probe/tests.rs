//! The probe's answers, honest and hostile; and what it leaves where it is cut off.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

const GOOD: &str = "EVAC-PROBE-BEGIN\nsystem=Linux\nmachine=x86_64\nkernel=6.1.0\n\
    hostname=box\nuid=1000\n\
    clock_s=1900000000\ncpus=8\nmemory_kib=1024\nmachine_id=abc\nroot_fs=ext4\nroot=sudo\n\
    tool=gzip\ntool=rsync\nfuture=whatever\nfolder=noexec 100 tmpfs /dev/shm\n\
    folder=runs 2048 ext2/ext3 /var/my tmp\n\
    EVAC-PROBE-END\n";

fn check(answer: &str, expected: ProbeError) {
    assert_eq!(parse(answer.as_bytes()), Err(expected), "{answer:.300}");
}

#[test]
fn a_whole_answer_is_read() {
    let facts = parse(GOOD.as_bytes()).unwrap();
    assert_eq!(
        (facts.system.as_str(), facts.machine.as_str(), facts.uid),
        ("Linux", "x86_64", 1000)
    );
    assert_eq!(facts.memory, Some(Bytes(1 << 20)));
    assert_eq!(facts.root, Root::Sudo);
    assert!(facts.tools.contains("rsync") && facts.tools.len() == 2);
    let second = &facts.folders[1];
    assert_eq!((second.path.as_str(), second.runs), ("/var/my tmp", Runs::Yes));
    assert_eq!((facts.folders[0].runs, second.free), (Runs::NoExec, Bytes(2 << 20)));
}

/// A terminal that hangs up, as for hosts where sudo wants one, while the probe tries a folder.
#[test]
fn a_probe_that_is_cut_off_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (home, tools) = (folder.path().join("home"), folder.path().join("tools"));
    for made in [&home, &tools] {
        std::fs::create_dir(made).unwrap();
    }
    let hangs_up = "#!/bin/sh\ncase $2 in \"$HOME\"/*) kill -HUP $PPID;; esac\n";
    std::fs::write(tools.join("chmod"), hangs_up).unwrap();
    std::fs::set_permissions(tools.join("chmod"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh")
        .arg("-s")
        .env("HOME", &home)
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(SCRIPT.as_bytes()).unwrap();
    let said = shell.wait_with_output().unwrap().stdout;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("/var/tmp\n"), "it was not reached: {said}");
    assert!(!said.contains(&format!(" {}\n", home.display())), "it was not cut off: {said}");
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0, "{said}");
}

#[test]
fn noise_before_and_after_changes_nothing() {
    let expected = parse(GOOD.as_bytes());
    let mut noisy = b"\x1b[31mWelcome!\xff\xfe\r\nEVAC-PROBE-BEGIN\nuid=0\nuid=0\n".to_vec();
    noisy.extend(vec![b'x'; 10 << 20]);
    noisy.push(b'\n');
    noisy.extend(GOOD.as_bytes());
    noisy.extend(b"goodbye\nEVAC-PROBE-END\n");
    assert_eq!(parse(&noisy), expected);
}

#[test]
fn answers_that_are_none_are_refused() {
    check("", ProbeError::Unframed);
    check("bash: sh: command not found\n", ProbeError::Unframed);
    check(GOOD.trim_end_matches("EVAC-PROBE-END\n"), ProbeError::Unframed);
    check(&GOOD.replace("system=Linux\n", ""), ProbeError::Missing("system"));
    check(&GOOD.replace("uid=1000", "uid="), ProbeError::Missing("uid"));
    check(&GOOD.replace("root=sudo\n", ""), ProbeError::Missing("root"));
    check(&GOOD.replace("uid=1000", "uid=-1"), ProbeError::BadLine("uid=-1".to_owned()));
    check(&GOOD.replace("tool=gzip", "gzip"), ProbeError::BadLine("gzip".to_owned()));
    check(&GOOD.replace("cpus=8", "uid=0"), ProbeError::Twice("uid".to_owned()));
    let worse = GOOD.replace("runs 2048", "runs many");
    check(&worse, ProbeError::BadLine("folder=runs many ext2/ext3 /var/my tmp".to_owned()));
    check(&GOOD.replace("kernel=", &format!("kernel={}", "x".repeat(2000))), ProbeError::TooLong);
    check(&GOOD.replace("tool=gzip", &"tool=gzip\n".repeat(1000)), ProbeError::TooLong);
}

#[test]
fn hostile_values_are_tamed() {
    let facts = parse(GOOD.replace("hostname=box", "hostname=a\x1b[2Jb").as_bytes()).unwrap();
    assert!(!facts.hostname.contains('\x1b'));
    let facts = parse(GOOD.replace("/var/my tmp", "relative").as_bytes()).unwrap();
    assert_eq!(facts.folders.len(), 1);
    let facts = parse(GOOD.replace("root=sudo", "root=no sudo: a password is required").as_bytes());
    assert_eq!(facts.unwrap().root, Root::No("sudo: a password is required".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_answer_makes_it_panic(middle in proptest::collection::vec(any::<u8>(), 0..400)) {
        let answer = [b"EVAC-PROBE-BEGIN\n", &middle[..], b"\nEVAC-PROBE-END\n"].concat();
        let _ = parse(&answer);
    }
}
