//! Files that keep secrets and cannot be read into: known by their first bytes, and by their name where these say too little.

use layersift::finding::Confidence;

use crate::support::*;

#[test]
fn a_store_is_known_by_its_bytes_first_and_its_name_second() {
    let temp = Temp::new();
    let sqlite = [b"SQLite format 3\0".as_slice(), &[7; 500]].concat();
    let mut core = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 500]].concat();
    core[16] = 4;
    let mut program = core.clone();
    program[16] = 3;
    for (name, bytes) in [
        ("home/u/.config/chromium/Default/Login Data", sqlite.as_slice()),
        ("srv/app.db", &sqlite),
        ("srv/other/Login Data", b"a text of that name"),
        ("var/core.17", &core),
        ("usr/bin/program", &program),
        ("home/u/keyring", b"GnomeKeyring\n\r\0\n and more"),
    ] {
        temp.file(&format!("root/{name}"), bytes);
    }
    let scan = scan(&temp.path("root"));
    let found =
        scan.findings.iter().map(|finding| (finding.rule.id.as_str(), String::from_utf8_lossy(finding.place.path().unwrap()).into_owned()));
    let expected = [
        ("gnome-keyring", "/home/u/keyring"),
        ("chromium-login-store", "/home/u/.config/chromium/Default/Login Data"),
        ("elf-core-dump", "/var/core.17"),
    ];
    let mut found: Vec<_> = found.collect();
    found.sort();
    let mut expected: Vec<_> = expected.map(|(rule, path)| (rule, path.to_owned())).into();
    expected.sort();
    assert_eq!(found, expected);
    assert!(scan.findings.iter().all(|finding| finding.confidence == Confidence::Possible));
}
