//! A pack of git's objects, on its own and in a bundle.

use layersift::content::nested::budget::{Bounds, Budget};
use layersift::content::nested::git::{self, Kind, Naming, Taken, Turn};

use super::nested;
use crate::archives::{Packed, delta, number, object_id, pack};

pub(super) fn run(data: &[u8]) {
    let file = data;
    let data = git::bundled(file).map_or(file, |at| &file[at..]);
    assert!(data.len() == file.len() || git::is_pack(data));
    let bounds = Bounds { file_bytes: 1 << 20, held_bytes: 64 << 10, members: 200, ..Bounds::default() };
    let read = |naming: Option<Naming>| {
        let budget = Budget::new(bounds, data.len() as u64);
        let mut names = Vec::new();
        let packed = git::read(data, naming, &budget, &mut |object, turn| {
            assert!(naming.is_none_or(|naming| object.id == git::id(naming, object.kind, object.content)));
            assert!(object.content.len() as u64 <= bounds.held_bytes, "{} bytes are held", object.content.len());
            for range in &object.new {
                assert!(range.start <= range.end && range.end <= object.content.len(), "{range:?} of {}", object.content.len());
            }
            // Some are wanted later, as files are that are named after them.
            if turn == Turn::First && object.number % 3 == 1 {
                return Taken::Later;
            }
            names.push((object.number, object.id));
            Taken::Now
        });
        assert!(packed.read.start <= packed.read.end && packed.read.end <= data.len(), "{:?} of {}", packed.read, data.len());
        assert!(names.len() as u64 <= bounds.members && packed.pending.len() as u64 <= bounds.members);
        (names, packed.pending.len(), packed.problems, budget.spent())
    };
    for naming in [None, Some(Naming::Sha1), Some(Naming::Sha256)] {
        assert_eq!(read(naming), read(naming));
    }
    let _ = git::Naming::of_pack(file);
    nested::check("f.pack", file);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let (one, two) = (nested::text("one"), nested::text("two"));
    let blob = object_id("blob", &one);
    let tree = [&b"100644 .env\0"[..], &blob].concat();
    let name: String = object_id("tree", &tree).iter().map(|byte| format!("{byte:02x}")).collect();
    let commit = format!("tree {name}\nauthor A <a@example.org> 1600000000 +0000\n\nx\n").into_bytes();
    let named = object_id("blob", &[&one[..12], &two[12..]].concat());
    // A difference that takes another base than it has, and one that copies beyond the end.
    let wrong = [number(5), number(9), vec![0x90, 5, 4, b'a', b'b', b'c', b'd']].concat();
    let beyond = [number(one.len() as u64), number(500), vec![0x91, 200, 100]].concat();
    let bundle = |version: u8, lines: &str, pack: &[u8]| [format!("# v{version} git bundle\n{lines}\n").as_bytes(), pack].concat();
    let names = format!("-{name} before\n{name} refs/heads/main\n");
    vec![
        bundle(2, &names, &pack(&[Packed::Blob(one.clone()), Packed::Back(1, delta(&one, 12, &two[12..]))])),
        bundle(3, &format!("@object-format=sha1\n@filter=blob:none\n{names}"), &pack(&[Packed::Tree(tree.clone())])),
        bundle(2, &names, b"no pack"),
        pack(&[
            Packed::Commit(commit),
            Packed::Tree(tree),
            // Before what it builds on is known.
            Packed::Named(named, delta(&one, 12, b"third")),
            Packed::Blob(one.clone()),
            Packed::Back(1, delta(&one, 12, &two[12..])),
            Packed::Named(blob, delta(&one, 20, b"new = 1\n")),
        ]),
        pack(&[Packed::Blob(one.clone()), Packed::Back(1, wrong), Packed::Back(2, beyond), Packed::Named([9; 20], delta(&one, 3, &two))]),
        pack(&[]),
        [pack(&[Packed::Blob(one)]), two].concat(),
        [&b"PACK\0\0\0\x02"[..], &Kind::Blob.as_str().as_bytes()[..4], &[0xff; 40]].concat(),
    ]
}
