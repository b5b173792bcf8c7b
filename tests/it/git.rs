//! Repositories that git itself made, with names by either hash: what any object of them holds is found, with its file and its commit.

use std::path::Path;
use std::process::Command;

use layersift::finding::{Finding, Scan};

use crate::engine::tool;
use crate::support::*;

/// A repository in a folder, which nothing on this machine has a say in.
struct Repository<'r>(&'r Path);

impl Repository<'_> {
    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.current_dir(self.0).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "A")
                .env(format!("GIT_{who}_EMAIL"), "a@example.org")
                .env(format!("GIT_{who}_DATE"), "1600000000 +0000");
        }
        tool(&mut git);
    }

    fn commit(&self, name: &str, content: &str, message: &str) {
        std::fs::write(self.0.join(name), content).unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "-q", "-m", message]);
    }
}

fn says(finding: &Finding, file: &str) -> bool {
    finding.note.as_deref().is_some_and(|note| note.contains(&format!("{file} of commit ")) && note.ends_with("written 2020-09-13"))
}

/// What a scan finds of a bundle of the repository and nothing else.
fn bundled(temp: &Temp, format: &str) -> Scan {
    std::fs::create_dir(temp.path(&format!("bundle-{format}"))).unwrap();
    let path = temp.path(&format!("bundle-{format}/all.bundle")).display().to_string();
    Repository(&temp.path(format)).git(&["bundle", "create", "-q", &path, "--all"]);
    scan(&temp.path(&format!("bundle-{format}")))
}

#[test]
#[ignore = "needs git; tests/run includes it where it is installed"]
fn what_any_object_holds_is_found_however_it_is_stored() {
    for format in ["sha1", "sha256"] {
        let temp = Temp::new();
        std::fs::create_dir(temp.path(format)).unwrap();
        let repository = Repository(&temp.path(format));
        repository.git(&["init", "-q", "-b", "main", &format!("--object-format={format}")]);
        // Long enough that git stores versions as differences.
        let filler: String = (0..400).map(|line| format!("# setting {line} of the service, {}\n", line * 7919 % 1000)).collect();
        let [old, new, lost, said] = ["old", "new", "lost", "said"].map(|name| token(&format!("{format} {name}")));
        repository.commit("settings.py", &format!("{filler}token = \"{old}\"\n"), "first");
        repository.commit("settings.py", &format!("{filler}token = \"{new}\"\n"), &format!("use {said}"));
        repository.commit("settings.py", &format!("{filler}token = None\n"), "third");
        let loose = scan(&temp.path(format));
        assert!([&old, &new].iter().all(|secret| says(only(&loose, secret), "settings.py")), "{:#?}", loose.findings);

        repository.git(&["branch", "gone"]);
        repository.git(&["checkout", "-q", "gone"]);
        repository.commit("other.env", &format!("TOKEN={lost}\n"), "fourth");
        repository.git(&["checkout", "-q", "main"]);
        repository.git(&["branch", "-q", "-D", "gone"]);
        repository.git(&["repack", "-q", "-a", "-d", "-f", "--depth=50"]);
        let packed = scan(&temp.path(format));
        assert!([&old, &new].iter().all(|secret| says(only(&packed, secret), "settings.py")), "{:#?}", packed.findings);
        // Of no branch: it stands in the objects as long as they are not collected. A message stands in its commit and in the log of the branch.
        assert!(says(only(&packed, &lost), "other.env"));
        let messages = packed.findings.iter().filter(|finding| finding.secret.expose() == said.as_bytes());
        assert!(messages.count() >= 2, "{:#?}", packed.findings);
        assert_eq!((reasons(&loose), reasons(&packed)), (vec![], vec![]));

        let bundle = bundled(&temp, format);
        assert!([&old, &new].iter().all(|secret| says(only(&bundle, secret), "settings.py")), "{:#?}", bundle.findings);
        assert_eq!(reasons(&bundle), []);
    }
}
