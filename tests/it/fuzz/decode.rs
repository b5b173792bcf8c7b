//! Encoded text within text, and how it is found wherever a file is cut.
//!
//! An input is two places to cut at, in two bytes each, and a text.

use std::ops::Range;

use layersift::content::decode::{View, views};
use layersift::random::Random;

use super::input::Input;
use super::nested;
use crate::archives::gzip;

/// Compressed text becomes no more than this, or no more than that many times what it was.
const MOST: usize = 4 << 20;

fn all(text: &[u8], owned: Range<usize>) -> Vec<View> {
    let mut all = Vec::new();
    views(text, owned, &mut |view| all.push(view));
    all
}

/// Where encoded text begins and ends, what was undone, and what came of it.
type Facts = (usize, usize, &'static str, Vec<u8>);

/// What views say, in an order.
fn facts(views: Vec<View>) -> Vec<Facts> {
    let mut facts: Vec<_> = views.into_iter().map(|view| (view.encoded.start, view.encoded.end, view.step, view.bytes)).collect();
    facts.sort();
    facts
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let (one, two) = (input.below(1 << 16), input.below(1 << 16));
    let text = input.0;
    let whole = all(text, 0..text.len());
    for view in &whole {
        assert!(view.encoded.start < view.encoded.end && view.encoded.end <= text.len(), "{:?} of {}", view.encoded, text.len());
        assert!(view.name <= view.bytes.len() && view.bytes.len() <= MOST.max(view.encoded.len() * 4 + 100), "{}", view.bytes.len());
        for at in [0, view.name, view.bytes.len() / 2, view.bytes.len()] {
            assert!((view.encoded.start..=view.encoded.end).contains(&view.origin(at)), "{at} of {}", view.bytes.len());
        }
    }
    // What is found in the whole is found in the part that it begins in, or in something longer there: undone with it, or as it stands, to be undone in turn. Of what goes on into the
    // next part, that may find the rest once more, and what else there is in it.
    let one = one % (text.len() + 1);
    let two = one + two % (text.len() - one + 1);
    let parts = facts([0..one, one..two, two..text.len()].into_iter().flat_map(|owned| all(text, owned)).collect());
    let whole = facts(whole);
    // A long word of percent escapes comes in parts of its own.
    let is_long = |view: &Facts| view.2 == "percent" && view.1 - view.0 > 1024;
    let is_within = |view: &Facts, longer: &Facts| longer.0 <= view.0 && view.1 <= longer.1;
    for view in whole.iter().filter(|view| !is_long(view)) {
        assert!(
            parts.contains(view) || parts.iter().any(|longer| is_within(view, longer)),
            "cut at {one} and {two}: {view:?} is missed; there are {parts:?}"
        );
    }
    for view in parts.iter().filter(|view| !whole.contains(view)) {
        let crosses = |known: &Facts| [one, two].iter().any(|cut| known.0 < *cut && *cut < known.1) || is_long(known);
        let is_rest = whole
            .iter()
            .any(|known| known.0 < view.1 && view.0 < known.1 && (crosses(known) || is_within(known, view) || is_within(view, known)));
        assert!(is_rest, "cut at {one} and {two}: {view:?} is not there; there are {whole:?}");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let text = nested::text("decode");
    let base64 = base64::engine::general_purpose::STANDARD.encode(&text);
    let lines: String = base64.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = text.iter().map(|byte| format!("%{byte:02X}")).collect();
    let numeric: String = text.iter().map(|byte| format!("&#{byte};")).collect();
    let escaped: String = text.iter().map(|byte| format!("\\u{byte:04x}")).collect();
    let short: String = text.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    let joined = format!("x = \"{}\" +\n    'b' + c + \"d\"", String::from_utf8_lossy(&text[..12]).escape_default());
    let wide = |order: fn(u16) -> [u8; 2]| text.iter().flat_map(|&byte| order(u16::from(byte))).collect::<Vec<u8>>();
    let wider: Vec<u8> = text.iter().flat_map(|&byte| u32::from(byte).to_le_bytes()).collect();
    let packed = base64::engine::general_purpose::STANDARD.encode(gzip(&text.repeat(9)));
    let all = [
        format!("password: {base64}\n").into_bytes(),
        format!("-----\n{lines}-----\n").into_bytes(),
        format!("key = \"{hex}\"").into_bytes(),
        percent.into_bytes(),
        numeric.into_bytes(),
        escaped.into_bytes(),
        short.into_bytes(),
        joined.into_bytes(),
        wide(u16::to_le_bytes),
        [&b"\xfe\xff"[..], &wide(u16::to_be_bytes)].concat(),
        wider,
        format!("data: {packed}").into_bytes(),
        gzip(&text),
    ];
    let mut random = Random::new(3);
    all.into_iter().map(|text| [random.bytes(4), text].concat()).collect()
}
