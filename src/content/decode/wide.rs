//! UTF-16 and UTF-32, with or without a mark, within anything else.

use std::ops::Range;

use super::{MAX_RUN, View, is_text};
use crate::vector::classes::{Classes, STEP};

/// Fewest characters of a UTF-16 or UTF-32 run.
const MIN_WIDE: usize = 12;

/// Samples eight bytes of every sixteen: wide text has zeros in every second byte, and so many of its characters hold a whole sample, wherever samples begin.
pub(super) fn views(text: &[u8], owned: Range<usize>, classes: &[Classes], found: &mut dyn FnMut(View)) {
    const EVEN: u64 = 0x00FF_00FF_00FF_00FF;
    let mut at = owned.start;
    let mut floor = owned.start;
    // A run that begins with the last owned byte shows in one of the next whole words.
    let end = (owned.end + 32).min(text.len());
    let mut showing = showing(classes, text.len() > owned.start + classes.len() * STEP).peekable();
    while let Some(chunk) = text[..end].get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let index = (at - owned.start) / STEP;
        while showing.next_if(|shown| shown + 1 < index).is_some() {}
        let Some(shown) = showing.peek() else { return };
        if *shown > index + 1 {
            at += (owned.start + (shown - 1) * STEP - at).next_multiple_of(16);
            continue;
        }
        let word = u64::from_le_bytes(*chunk);
        if word == 0 || (word & EVEN != 0 && word & !EVEN != 0) {
            at += 16;
            continue;
        }
        let Some(run) = [2, 4].into_iter().find_map(|unit| wide_run(text, at, floor, unit)) else {
            at += 16;
            continue;
        };
        floor = run.range.end;
        at = floor.max(at + 16);
        let is_cell = |at: usize| is_cell(text, at, run.unit);
        // A run that crosses the beginning of this part, if its beginning can be seen, belongs to the part before.
        let from_before = run.range.start < owned.start + run.unit
            && run.range.start.checked_sub(run.unit).is_some_and(is_cell)
            && (1..4096).any(|back| run.range.start.checked_sub(back * run.unit).is_none_or(|at| !is_cell(at)))
            && !ends_other(text, run.range.start - run.unit, run.unit);
        if owned.contains(&run.range.start) && !from_before {
            let step = step_of(text, &run.range, run.unit);
            found(View { bytes: run.decoded, name: 0, encoded: run.range, step, places: Vec::new() });
        }
    }
}

/// The words that show wide text, in order. All that come after the last one may, if there are any (`is_more`).
fn showing(classes: &[Classes], is_more: bool) -> impl Iterator<Item = usize> {
    let shown = classes.iter().enumerate().filter(|(_, word)| word.zero != 0 && has_cells(word.zero)).map(|(index, _)| index);
    shown.chain((classes.len()..).take_while(move |_| is_more))
}

/// Whether 64 bytes have five characters in a row with zeros after each; `zero` is a bit for each byte. A run has so many in at least one of two words
/// that it lies in, which may not be the one whose sample shows it.
fn has_cells(zero: u64) -> bool {
    let five = |cells: u64, unit: u32| {
        let two = cells & cells >> unit;
        two & two >> (2 * unit) & cells >> (4 * unit) != 0
    };
    let pairs = !zero & zero >> 1;
    pairs != 0 && (five(pairs, 2) || five(pairs & zero >> 2 & zero >> 3, 4))
}

struct WideRun {
    range: Range<usize>,
    decoded: Vec<u8>,
    unit: usize,
}

/// Whether a character and its zeros stand at `at`.
fn is_cell(text: &[u8], at: usize, unit: usize) -> bool {
    text.get(at..at + unit).is_some_and(|cell| (is_text(cell[0]) || cell[0] >= 0xA0) && cell[1..].iter().all(|&b| b == 0))
}

/// Whether the character at `at`, which may be one of a width of `unit`, is the last one of a run of the other width: then it is of that run.
fn ends_other(text: &[u8], at: usize, unit: usize) -> bool {
    let other = 6 - unit;
    (1..MIN_WIDE).all(|back| at.checked_sub(back * other).is_some_and(|before| is_cell(text, before, other)))
}

/// The longest run round `at`, not before `floor`, in which every `unit`-th byte is a character and the others are zero.
fn wide_run(text: &[u8], at: usize, floor: usize, unit: usize) -> Option<WideRun> {
    let phase = (at..(at + unit).min(text.len())).find(|&i| text[i] != 0)?;
    // The last character of big-endian text has no zeros after it.
    let is_last = |i: usize| text.get(i).is_some_and(|&b| is_text(b));
    let mut start = phase;
    while let Some(before) = start.checked_sub(unit).filter(|&before| before >= floor && is_cell(text, before, unit)) {
        start = before;
    }
    let mut end = phase;
    while end - start < MAX_RUN && is_cell(text, end, unit) {
        end += unit;
    }
    let mut decoded: Vec<u8> = Vec::with_capacity((end - start) / unit + 1);
    let push = |byte: u8, decoded: &mut Vec<u8>| {
        if byte < 0x80 { decoded.push(byte) } else { decoded.extend([0xC0 | byte >> 6, 0x80 | byte & 0x3F]) }
    };
    (start..end).step_by(unit).for_each(|i| push(text[i], &mut decoded));
    let mut count = (end - start) / unit;
    if is_last(end) {
        count += 1;
        push(text[end], &mut decoded);
        end += 1;
    }
    (count >= MIN_WIDE).then_some(WideRun { range: start..end, decoded, unit })
}

fn step_of(text: &[u8], range: &Range<usize>, unit: usize) -> &'static str {
    let ends_with_character = text[range.end - 1] != 0;
    match (unit, ends_with_character) {
        (2, false) => "utf-16-le",
        (2, true) => "utf-16-be",
        (_, false) => "utf-32-le",
        (_, true) => "utf-32-be",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::vector::{Engine, classes};

    #[test]
    fn words_that_do_not_show_wide_text_hold_none() {
        let mut random = Random::new(9);
        let mut found = 0;
        for round in 0..1500 {
            let mut text = Vec::new();
            while text.len() < 40 + round % 400 {
                match random.below(4) {
                    0 => {
                        let length = random.below(70);
                        text.extend(random.bytes(length).iter().map(|byte| byte % 3 * 40));
                    }
                    1 => text.extend(std::iter::repeat_n(0, random.below(20))),
                    unit => {
                        let length = MIN_WIDE - 3 + random.below(20);
                        text.extend((0..length).flat_map(|_| [&b"x"[..], &[0, 0, 0][..2 * unit - 3]].concat()));
                    }
                }
            }
            let start = random.below(30);
            let owned = start..text.len() - random.below(9);
            let end = (owned.end + STEP).min(text.len());
            let by = |classes: &[Classes]| {
                let mut found = Vec::new();
                views(&text, owned.clone(), classes, &mut |view| found.push(view));
                found
            };
            // Without any classes each word may hold some.
            let plain = by(&[]);
            found += plain.len();
            assert_eq!(by(&classes::of(Engine::best(), &text[start..end])), plain, "{}", text.escape_ascii());
        }
        assert!(found > 1000, "{found}");
    }

    #[test]
    fn a_run_that_another_one_runs_into_is_found_wherever_the_text_is_cut() {
        let wide =
            |text: &str, unit: usize| text.bytes().flat_map(|byte| [&[byte][..], &[0, 0, 0][..unit - 1]].concat()).collect::<Vec<u8>>();
        for ((first, second), gap) in [(2, 4), (4, 2)].into_iter().flat_map(|widths| (0..5).map(move |gap| (widths, gap))) {
            // The zeros of big-endian text stand before its characters: they may be taken for those of the text before.
            let text = [wide("the first of two", first), vec![0; gap], wide("another one of them", second), vec![0; 9]].concat();
            for cut in 0..text.len() {
                let mut found = Vec::new();
                for owned in [0..cut, cut..text.len()] {
                    let classes = classes::of(Engine::best(), &text[owned.start..]);
                    views(&text, owned, &classes, &mut |view| found.push(view.bytes));
                }
                let has = |word: &[u8]| found.iter().any(|bytes| bytes.windows(word.len()).any(|window| window == word));
                assert!(has(b"he first of tw") && has(b"nother one of the"), "{first}, {gap}, {second} cut at {cut}: {found:?}");
            }
        }
    }

    #[test]
    fn the_shortest_run_is_found_wherever_samples_begin_and_a_shorter_one_nowhere() {
        for (length, is_found) in [(MIN_WIDE, true), (MIN_WIDE - 1, false)] {
            for shift in 0..70 {
                // Characters beyond ASCII are two bytes when they are decoded, and one character all the same.
                let run: Vec<u8> = (0..length).flat_map(|at| [0, if at % 2 == 0 { 0xE4 } else { b'x' }]).collect();
                let text = [vec![1; shift], run, vec![1; 40]].concat();
                let mut found = 0;
                views(&text, 0..text.len(), &classes::of(Engine::best(), &text), &mut |_| found += 1);
                assert_eq!(found, usize::from(is_found), "{length} characters after {shift} bytes");
            }
        }
    }
}
