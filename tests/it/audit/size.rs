//! A thousand tags: what an audit of them takes. Linux says how much memory a process had at most.

use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use layersift::source::builder::ImageSet;

use super::world::*;
use crate::cli::Run;

/// A thousand tags in ten repositories.
fn thousand() -> World {
    let mut world = World::default();
    for number in 0..1_000 {
        world.push(&format!("team/app{}", number / 100), &format!("1.{number}"), &ImageSet::new().image(build(number, 2_000)));
    }
    world
}

/// The most memory that a process had so far, in KiB; none when it has ended.
fn peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn an_audit_of_a_thousand_tags_stays_within_its_memory() {
    let audited = Audited::new(thousand());
    let report = audited.temp.path("audit.jsonl");
    let mut command = audited.command();
    command.arg(audited.target()).arg("--output").arg(format!("jsonl={}", report.display()));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(peak(child.id()).unwrap_or_default());
        sleep(Duration::from_millis(5));
    }
    let run = Run::new(child.wait_with_output().unwrap());
    assert_eq!(run.code, 1, "{}", run.stderr);
    let audit = Audit::new(run, std::fs::read_to_string(report).unwrap());
    assert_eq!((&audit.summary()["tags"], &audit.summary()["complete"]), (&1_000.into(), &true.into()));
    assert!(most > 10 << 10 && most < 300 << 10, "{most} KiB");
}
