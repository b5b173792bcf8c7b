//! The listing of zip archives, and what a scan makes of it.

use layersift::content::nested::zip::{ends_as_zip, list};

use super::nested;
use crate::archives::{Said, Zip, zip};

pub(super) fn run(data: &[u8]) {
    const LIMIT: usize = 100;
    let _ = ends_as_zip(data);
    let listing = list(data, LIMIT);
    assert!(listing.members.len() <= LIMIT);
    assert_eq!(list(data, LIMIT), listing);
    for member in &listing.members {
        assert!(member.data.start <= member.data.end && member.data.end <= data.len(), "{member:?} of {}", data.len());
    }
    for record in &listing.records {
        assert!(record.start <= record.end && record.end <= data.len(), "{record:?} of {}", data.len());
    }
    nested::check("f.zip", data);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("zip");
    let files: [(&str, &[u8]); 3] = [("a", &text), ("b/", b""), ("b/c.env", &text)];
    let sound = zip(&files);
    // With a descriptor after the member, whose sizes stand in the directory only.
    let mut streamed = Zip::default();
    let said = Said { flags: 8, ..streamed.said("late", &text, text.len(), 0) };
    streamed.bytes.extend(Said { stored: 0, size: 0, ..said.clone() }.local());
    streamed.bytes.extend(&text);
    streamed.bytes.extend(b"PK\x07\x08\0\0\0\0");
    streamed.bytes.extend([text.len() as u32; 2].map(u32::to_le_bytes).concat());
    streamed.central.push(said);
    // A member that only its own record names, an encrypted one, one of an unknown method.
    let hidden = Zip::default().add("shown", &text, 0);
    let unlisted = hidden.said("hidden", &text, text.len(), 0);
    let hidden = hidden.raw(&unlisted.local()).raw(&text);
    let mut odd = Zip::default().add("strange", &text, 77);
    let said = Said { flags: 1, ..odd.said("locked", &text, text.len(), 0) };
    odd.bytes.extend([said.local(), text.clone()].concat());
    odd.central.push(said);
    let mut large = sound.clone();
    let end = large.len() - 22;
    large.splice(end..end, [&b"PK\x06\x06"[..], &[44, 0, 0, 0, 0, 0, 0, 0], &[0; 44], b"PK\x06\x07", &[0; 16]].concat());
    let at = large.len() - 10;
    large[at..at + 8].fill(0xFF);
    let all = [sound.clone(), streamed.finish(), hidden.finish(), odd.finish(), large];
    all.into_iter().chain([[b"MZ program ".to_vec(), sound].concat(), zip(&[])]).collect()
}
