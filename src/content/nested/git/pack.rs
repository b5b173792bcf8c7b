//! Reads a pack: inflates each object once, puts together those that are stored as differences.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};

use super::super::Problem;
use super::super::budget::Budget;
use super::{Id, Kind, Naming, from_hex, id};

/// Bytes of the header.
const HEADER: usize = 12;
/// Bytes of whole objects that are kept for those that build on them.
const MAX_CACHE: usize = 32 << 20;
/// Longest chain of differences. Git makes them of 50, and reads 4095.
const MAX_CHAIN: usize = 4096;
/// What is looked at round what is new in an object: a name before a new value stands in the old part.
const BEFORE: usize = 512;
const AFTER: usize = 128;

/// An object, put together.
#[derive(Debug)]
pub struct Object<'o> {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub id: Id,
    /// Its position in the pack.
    pub number: u32,
    /// Its content.
    pub content: &'o [u8],
    /// What of the content is in no object before; all of it, for one that is stored as a whole.
    pub new: Vec<Range<usize>>,
}

/// What becomes of an object that is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It was looked at.
    Now,
    /// It is wanted again when all others have been handed on: what it is called is not known yet.
    Later,
}

/// Takes objects; whether all others have been handed on before, so that none is wanted later, stands beside them.
type Take<'t> = &'t mut dyn FnMut(Object<'_>, Turn) -> Taken;

/// When an object is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// In the order of the pack.
    First,
    /// After all others, as it was wanted.
    Last,
}

/// What could not be put together: a difference to something that is not there.
#[derive(Debug)]
pub struct Pending {
    /// Its position in the pack.
    pub number: u32,
    data: usize,
    size: usize,
}

impl Pending {
    /// What it adds to what is missing. Read once more, since a pack may be of nothing else: together they are longer than what can be held.
    pub fn added(&self, pack: &[u8], budget: &Budget) -> Option<Vec<u8>> {
        let (delta, _) = inflate(pack.get(self.data..)?, self.size, budget)?;
        Some(Delta::parse(&delta).map(|delta| delta.added()).unwrap_or(delta))
    }
}

/// What the pack came to.
#[derive(Debug, Default)]
pub struct Packed {
    /// Bytes of the pack that were understood.
    pub read: Range<usize>,
    /// Objects without the one that they build on.
    pub pending: Vec<Pending>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// Objects that are larger than what is held in memory.
    pub too_large: u64,
}

/// How an object is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Whole(Kind),
    /// A difference to the object at this offset.
    From(usize),
    /// A difference to the object of this name.
    To(Id),
}

#[derive(Debug, Clone)]
struct Slot {
    number: u32,
    stored: Stored,
    size: usize,
    data: usize,
}

/// Reads a pack, and hands each object to `found`. How its objects are named is not said in it: if it is not known, the first commit shows it.
pub fn read(bytes: &[u8], naming: Option<Naming>, budget: &Budget, found: Take<'_>) -> Packed {
    let mut reader = Reader {
        bytes,
        naming: naming.unwrap_or(Naming::Sha1),
        budget,
        slots: BTreeMap::new(),
        names: HashMap::new(),
        cache: HashMap::new(),
        order: VecDeque::new(),
        cached: 0,
        waiting: Vec::new(),
        later: Vec::new(),
        out: Packed::default(),
    };
    if naming.is_none() {
        reader.naming = reader.shown().unwrap_or(Naming::Sha1);
    }
    reader.all(found);
    reader.out
}

struct Reader<'p> {
    bytes: &'p [u8],
    naming: Naming,
    budget: &'p Budget,
    slots: BTreeMap<usize, Slot>,
    names: HashMap<Id, usize>,
    cache: HashMap<usize, (Kind, Arc<Vec<u8>>)>,
    order: VecDeque<usize>,
    cached: usize,
    /// Offsets of objects that build on a name that was not seen yet.
    waiting: Vec<usize>,
    /// Objects that are wanted again: offset, position, and what is new in them.
    later: Vec<(usize, u32, Vec<Range<usize>>)>,
    out: Packed,
}

impl Reader<'_> {
    fn all(&mut self, found: Take<'_>) {
        let count = self.bytes.get(8..HEADER).map_or(0, |field| field.iter().fold(0u32, |count, &byte| count << 8 | u32::from(byte)));
        let mut at = HEADER.min(self.bytes.len());
        for number in 0..count {
            if !self.budget.member() {
                break;
            }
            let Some((slot, end)) = self.slot(at, number, found) else {
                self.out.problems.push(Problem::Damaged("an object of the pack is damaged, or the pack ends before it"));
                break;
            };
            self.slots.insert(at, slot);
            at = end;
        }
        // The checksum at the end.
        let is_end = self.slots.len() as u32 == count && self.bytes.len() >= at && self.bytes.len() - at <= 32;
        self.out.read = 0..if is_end { self.bytes.len() } else { at };
        self.late(found);
        for (at, number, new) in std::mem::take(&mut self.later) {
            if let Some((kind, content)) = self.resolve(at) {
                let id = id(self.naming, kind, &content);
                found(Object { kind, id, number, content: &content, new }, Turn::Last);
            }
        }
    }

    /// How objects are named, by the first one if that is a commit, as it is in what git writes.
    fn shown(&self) -> Option<Naming> {
        let (stored, size, data) = self.header(HEADER)?;
        let limit = self.budget.bounds().held_bytes;
        if stored != Stored::Whole(Kind::Commit) || size as u64 > limit {
            return None;
        }
        let (content, _) = inflate(self.bytes.get(data..)?, size, self.budget)?;
        from_hex(content.strip_prefix(b"tree ")?).map(|id| id.naming())
    }

    /// Reads the object at `at`: what it is, and where the next one begins. Hands it on if it can be put together.
    fn slot(&mut self, at: usize, number: u32, found: Take<'_>) -> Option<(Slot, usize)> {
        let (stored, size, data) = self.header(at)?;
        let slot = Slot { number, stored, size, data };
        let limit = usize::try_from(self.budget.bounds().held_bytes).unwrap_or(usize::MAX);
        if size > limit {
            self.out.too_large += 1;
            let end = skip(self.bytes.get(data..)?, self.budget)? + data;
            return Some((slot, end));
        }
        let (content, length) = inflate(self.bytes.get(data..)?, size, self.budget)?;
        self.slots.insert(at, slot.clone());
        match stored {
            Stored::Whole(kind) => self.whole(at, number, kind, content, None, found),
            Stored::From(base) => match self.resolve(base) {
                Some((kind, base)) => self.difference(at, number, kind, &base, &content, found),
                None => self.unresolved(at),
            },
            Stored::To(name) => match self.names.get(&name).copied().and_then(|base| self.resolve(base)) {
                Some((kind, base)) => self.difference(at, number, kind, &base, &content, found),
                None => self.waiting.push(at),
            },
        }
        Some((slot, data + length))
    }

    /// Objects that build on one that came after them. Each pass puts one link of a chain together; what is left then has no beginning.
    fn late(&mut self, found: Take<'_>) {
        loop {
            let waiting = std::mem::take(&mut self.waiting);
            let before = waiting.len();
            for at in waiting {
                let Some(slot) = self.slots.get(&at).cloned() else { continue };
                let Stored::To(name) = slot.stored else { continue };
                let base = self.names.get(&name).copied().and_then(|base| self.resolve(base));
                let content = inflate(self.bytes.get(slot.data..).unwrap_or_default(), slot.size, self.budget);
                match (base, content) {
                    (Some((kind, base)), Some((content, _))) => self.difference(at, slot.number, kind, &base, &content, found),
                    _ => self.waiting.push(at),
                }
            }
            if self.waiting.is_empty() || self.waiting.len() == before || self.budget.stopped().is_some() {
                break;
            }
        }
        for at in std::mem::take(&mut self.waiting) {
            self.unresolved(at);
        }
        if !self.out.pending.is_empty() {
            self.out.problems.push(Problem::Damaged("objects of the pack build on others that are not in it; what they add was scanned"));
        }
    }

    fn unresolved(&mut self, at: usize) {
        self.out.pending.extend(self.slots.get(&at).map(|slot| Pending { number: slot.number, data: slot.data, size: slot.size }));
    }

    fn difference(&mut self, at: usize, number: u32, kind: Kind, base: &[u8], delta: &[u8], found: Take<'_>) {
        match self.apply(base, delta) {
            Some((content, new)) => self.whole(at, number, kind, content, Some(new), found),
            None => self.unresolved(at),
        }
    }

    fn whole(&mut self, at: usize, number: u32, kind: Kind, content: Vec<u8>, new: Option<Vec<Range<usize>>>, found: Take<'_>) {
        let id = id(self.naming, kind, &content);
        self.names.insert(id, at);
        let new = new.unwrap_or_else(|| super::super::just(0..content.len()));
        if found(Object { kind, id, number, content: &content, new: new.clone() }, Turn::First) == Taken::Later {
            self.later.push((at, number, new));
        }
        self.keep(at, kind, Arc::new(content));
    }

    fn keep(&mut self, at: usize, kind: Kind, content: Arc<Vec<u8>>) {
        if content.len() > MAX_CACHE / 2 || self.cache.contains_key(&at) {
            return;
        }
        self.cached += content.len();
        self.cache.insert(at, (kind, content));
        self.order.push_back(at);
        while self.cached > MAX_CACHE {
            let Some(oldest) = self.order.pop_front() else { return };
            if let Some((_, content)) = self.cache.remove(&oldest) {
                self.cached -= content.len();
            }
        }
    }

    /// The object at an offset, put together once more if it is no longer kept.
    fn resolve(&mut self, at: usize) -> Option<(Kind, Arc<Vec<u8>>)> {
        let mut chain = Vec::new();
        let mut at = at;
        let (kind, mut content) = loop {
            if let Some((kind, content)) = self.cache.get(&at) {
                break (*kind, Arc::clone(content));
            }
            let slot = self.slots.get(&at)?.clone();
            if slot.size as u64 > self.budget.bounds().held_bytes || chain.len() > MAX_CHAIN {
                return None;
            }
            let (stored, _) = inflate(&self.bytes[slot.data..], slot.size, self.budget)?;
            match slot.stored {
                Stored::Whole(kind) => break (kind, Arc::new(stored)),
                Stored::From(base) => {
                    chain.push((at, stored));
                    at = base;
                }
                Stored::To(name) => {
                    chain.push((at, stored));
                    at = *self.names.get(&name)?;
                }
            }
        };
        for (at, delta) in chain.into_iter().rev() {
            content = Arc::new(self.apply(&content, &delta)?.0);
            self.keep(at, kind, Arc::clone(&content));
        }
        Some((kind, content))
    }

    /// What a difference makes of its base, and what of it is new.
    fn apply(&mut self, base: &[u8], delta: &[u8]) -> Option<(Vec<u8>, Vec<Range<usize>>)> {
        let delta = Delta::parse(delta)?;
        if delta.base != base.len() as u64 {
            return None;
        }
        if delta.result > self.budget.bounds().held_bytes {
            self.out.too_large += 1;
            return None;
        }
        // The size is a claim: room is made as bytes come.
        let mut content = Vec::with_capacity((delta.result as usize).min(base.len() + delta.steps.len()));
        let mut new: Vec<Range<usize>> = Vec::new();
        for step in delta.steps() {
            let start = content.len();
            match step? {
                DeltaStep::Copy(range) => content.extend_from_slice(base.get(range)?),
                DeltaStep::Add(bytes) => {
                    content.extend_from_slice(bytes);
                    let from = start.saturating_sub(BEFORE);
                    match new.last_mut().filter(|last| last.end >= from) {
                        Some(last) => last.end = content.len() + AFTER,
                        None => new.push(from..content.len() + AFTER),
                    }
                }
            }
            if content.len() as u64 > delta.result || !self.budget.spend((content.len() - start) as u64) {
                return None;
            }
        }
        new.iter_mut().for_each(|range| range.end = range.end.min(content.len()));
        (content.len() as u64 == delta.result).then_some((content, new))
    }

    /// How an object is stored, its size, and where its bytes begin.
    fn header(&self, at: usize) -> Option<(Stored, usize, usize)> {
        let first = *self.bytes.get(at)?;
        let mut size = u64::from(first & 15);
        let (mut at_byte, mut byte, mut shift) = (at, first, 4);
        while byte & 0x80 != 0 {
            at_byte += 1;
            byte = *self.bytes.get(at_byte)?;
            size |= u64::from(byte & 0x7f).checked_shl(shift).filter(|_| shift < 60)?;
            shift += 7;
        }
        let data = at_byte + 1;
        let size = usize::try_from(size).ok()?;
        Some(match first >> 4 & 7 {
            1 => (Stored::Whole(Kind::Commit), size, data),
            2 => (Stored::Whole(Kind::Tree), size, data),
            3 => (Stored::Whole(Kind::Blob), size, data),
            4 => (Stored::Whole(Kind::Tag), size, data),
            6 => {
                let mut at_byte = data;
                let mut byte = *self.bytes.get(at_byte)?;
                let mut back = u64::from(byte & 0x7f);
                while byte & 0x80 != 0 {
                    at_byte += 1;
                    byte = *self.bytes.get(at_byte)?;
                    back = back.checked_add(1)?.checked_mul(128)?.checked_add(u64::from(byte & 0x7f))?;
                }
                // Always one that stands before: there are no loops of these.
                let base = at.checked_sub(usize::try_from(back).ok().filter(|back| *back > 0)?)?;
                (Stored::From(base), size, at_byte + 1)
            }
            7 => (Stored::To(Id::read(self.naming, self.bytes.get(data..)?)?), size, data + self.naming.length()),
            _ => return None,
        })
    }
}

/// Inflates a stream that is said to have `size` bytes: these, and the length of the stream.
fn inflate(stream: &[u8], size: usize, budget: &Budget) -> Option<(Vec<u8>, usize)> {
    // Room is made for what can come of these bytes at most, whatever is said.
    let room = size.min(stream.len().saturating_mul(1032).saturating_add(64));
    let mut out = Vec::with_capacity(room + 1);
    let mut inflate = Decompress::new(true);
    loop {
        let (before, produced) = (inflate.total_in() as usize, out.len());
        let status = inflate.decompress_vec(stream.get(before..)?, &mut out, FlushDecompress::None).ok()?;
        let read = inflate.total_in() as usize - before;
        if !budget.spend((read + out.len() - produced) as u64) || out.len() > size {
            return None;
        }
        match status {
            Status::StreamEnd => return (out.len() == size).then(|| (out, inflate.total_in() as usize)),
            _ if inflate.total_in() as usize == before && out.len() == produced => return None,
            _ => {}
        }
    }
}

/// Passes over a stream: its length.
fn skip(stream: &[u8], budget: &Budget) -> Option<usize> {
    let mut out = vec![0; 64 * 1024];
    let mut inflate = Decompress::new(true);
    loop {
        let (before, produced) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(stream.get(before as usize..)?, &mut out, FlushDecompress::None).ok()?;
        let count = inflate.total_out() - produced;
        if !budget.spend(count) {
            return None;
        }
        match status {
            Status::StreamEnd => return Some(inflate.total_in() as usize),
            _ if inflate.total_in() == before && count == 0 => return None,
            _ => {}
        }
    }
}

/// A difference: sizes before and after, and what to do.
struct Delta<'d> {
    base: u64,
    result: u64,
    steps: &'d [u8],
}

enum DeltaStep<'d> {
    Copy(Range<usize>),
    Add(&'d [u8]),
}

impl<'d> Delta<'d> {
    fn parse(bytes: &'d [u8]) -> Option<Self> {
        let (base, at) = number(bytes, 0)?;
        let (result, at) = number(bytes, at)?;
        Some(Self { base, result, steps: &bytes[at..] })
    }

    /// The steps; none in place of one that makes no sense, which is the last.
    fn steps(&self) -> impl Iterator<Item = Option<DeltaStep<'d>>> {
        let mut rest = self.steps;
        std::iter::from_fn(move || {
            let (&code, after) = rest.split_first()?;
            rest = after;
            let step = Self::step(code, &mut rest);
            if step.is_none() {
                rest = &[];
            }
            Some(step)
        })
    }

    fn step(code: u8, rest: &mut &'d [u8]) -> Option<DeltaStep<'d>> {
        if code & 0x80 == 0 {
            let (added, after) = rest.split_at_checked(usize::from(code)).filter(|_| code > 0)?;
            *rest = after;
            return Some(DeltaStep::Add(added));
        }
        let mut field = |bits: std::ops::Range<u32>| {
            let mut value = 0usize;
            for (shift, bit) in bits.enumerate() {
                if code >> bit & 1 == 1 {
                    let (&byte, after) = rest.split_first()?;
                    *rest = after;
                    value |= usize::from(byte) << (8 * shift);
                }
            }
            Some(value)
        };
        let offset = field(0..4)?;
        let size = match field(4..7)? {
            0 => 0x10000,
            size => size,
        };
        Some(DeltaStep::Copy(offset..offset.checked_add(size)?))
    }

    /// All bytes that it adds, each run on a line of its own.
    fn added(&self) -> Vec<u8> {
        let runs = self.steps().flatten().filter_map(|step| match step {
            DeltaStep::Add(bytes) => Some(bytes),
            DeltaStep::Copy(_) => None,
        });
        runs.collect::<Vec<_>>().join(&b'\n')
    }
}

/// A number in groups of seven bits, least significant first, and where the next byte is.
fn number(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let (mut value, mut shift, mut at) = (0u64, 0u32, at);
    loop {
        let byte = *bytes.get(at)?;
        value |= u64::from(byte & 0x7f).checked_shl(shift).filter(|_| shift < 60)?;
        (shift, at) = (shift + 7, at + 1);
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::super::super::budget::Bounds;
    use super::*;

    /// An object: its kind, what stands between its header and its content, and that.
    type Part = (u8, Vec<u8>, Vec<u8>);

    fn object((kind, base, content): &Part) -> Vec<u8> {
        let mut out = Vec::new();
        let mut size = content.len() >> 4;
        let mut byte = kind << 4 | (content.len() & 15) as u8;
        while size > 0 {
            out.push(byte | 0x80);
            byte = (size & 0x7f) as u8;
            size >>= 7;
        }
        out.push(byte);
        out.extend(base);
        let mut encoder = ZlibEncoder::new(out, Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn pack(parts: &[Part]) -> Vec<u8> {
        let objects = parts.iter().map(object).collect::<Vec<_>>().concat();
        [&b"PACK\0\0\0\x02"[..], &(parts.len() as u32).to_be_bytes(), &objects, &[0; 20]].concat()
    }

    /// Keeps so many bytes of a base and adds others.
    fn delta(base: usize, keep: u8, added: &[u8]) -> Vec<u8> {
        [&[base as u8, keep + added.len() as u8, 0x90, keep, added.len() as u8][..], added].concat()
    }

    /// An object's number, its content, and what is new in it.
    type Seen = (u32, String, Vec<Range<usize>>);

    /// What is found: each object's number, content, and what is new in it.
    fn found(bytes: &[u8], naming: Option<Naming>) -> (Vec<Seen>, Packed) {
        taken(bytes, naming, Taken::Now)
    }

    /// The same, where the second object is taken now or later.
    fn taken(bytes: &[u8], naming: Option<Naming>, later: Taken) -> (Vec<Seen>, Packed) {
        let budget = Budget::new(Bounds::default(), bytes.len() as u64);
        let mut all = Vec::new();
        let packed = read(bytes, naming, &budget, &mut |object, turn| {
            if object.number == 1 && turn == Turn::First && later == Taken::Later {
                return later;
            }
            assert_eq!(object.id, id(object.id.naming(), object.kind, object.content));
            all.push((object.number, String::from_utf8(object.content.to_vec()).unwrap(), object.new));
            Taken::Now
        });
        (all, packed)
    }

    #[test]
    fn differences_are_put_together_wherever_their_base_stands() {
        for naming in [Naming::Sha1, Naming::Sha256] {
            let name = |content: &[u8]| id(naming, Kind::Blob, content).bytes().to_vec();
            let first = (3, Vec::new(), b"one two".to_vec());
            let back = object(&first).len() as u8;
            let parts = [
                (7, name(b"one three"), delta(9, 4, b"four")),
                first,
                (6, vec![back], delta(7, 4, b"three")),
                (7, name(b"one two"), delta(7, 3, b"!")),
            ];
            let bytes = pack(&parts);
            let (all, packed) = found(&bytes, Some(naming));
            let contents: Vec<(u32, &str)> = all.iter().map(|(number, content, _)| (*number, content.as_str())).collect();
            assert_eq!(contents, [(1, "one two"), (2, "one three"), (3, "one!"), (0, "one four")], "{naming:?}");
            assert_eq!((packed.read, packed.pending.len(), packed.problems.len()), (0..bytes.len(), 0, 0));
            // What is round what is new is looked at too, and these are short.
            assert!(all.iter().all(|(_, content, new)| *new == super::super::super::just(0..content.len())));
        }
    }

    #[test]
    fn an_object_that_is_wanted_later_comes_last() {
        let first = (3, Vec::new(), b"one two".to_vec());
        let back = object(&first).len() as u8;
        let parts = [first, (6, vec![back], delta(7, 4, b"three")), (3, Vec::new(), b"four".to_vec())];
        let (all, _) = taken(&pack(&parts), None, Taken::Later);
        let contents: Vec<(u32, &str)> = all.iter().map(|(number, content, _)| (*number, content.as_str())).collect();
        assert_eq!(contents, [(0, "one two"), (2, "four"), (1, "one three")]);
    }

    #[test]
    fn a_commit_shows_how_objects_are_named() {
        for naming in [Naming::Sha1, Naming::Sha256] {
            let tree = super::super::hex(&id(naming, Kind::Tree, b""));
            let commit = (1, Vec::new(), format!("tree {tree}\n\nx").into_bytes());
            let parts =
                [commit, (7, id(naming, Kind::Blob, b"abcd").bytes().to_vec(), delta(4, 2, b"x")), (3, Vec::new(), b"abcd".to_vec())];
            let (all, packed) = found(&pack(&parts), None);
            assert_eq!((all.len(), packed.problems.len()), (3, 0), "{naming:?}");
            assert_eq!(all[2].1, "abx");
        }
    }

    #[test]
    fn what_builds_on_nothing_gives_what_it_adds() {
        let parts = [(7, vec![9; 20], delta(50, 20, b"new text")), (3, Vec::new(), b"whole".to_vec())];
        let bytes = pack(&parts);
        let (all, packed) = found(&bytes, None);
        assert_eq!((all.len(), packed.pending.len(), packed.problems.len()), (1, 1, 1));
        let added = packed.pending[0].added(&bytes, &Budget::new(Bounds::default(), 0));
        assert_eq!((packed.pending[0].number, added.as_deref()), (0, Some(&b"new text"[..])));
    }

    #[test]
    fn a_pack_that_is_cut_or_lies_ends_and_gives_what_is_there() {
        let text = b"some text that is long enough to be cut anywhere".to_vec();
        let parts = [(3, Vec::new(), b"first".to_vec()), (3, Vec::new(), text)];
        let bytes = pack(&parts);
        let second = bytes.len() - 20;
        for cut in 0..second {
            let (all, packed) = found(&bytes[..cut], None);
            assert!(all.len() < 2 && packed.read.end <= cut);
            assert!(cut < 12 || !packed.problems.is_empty(), "cut at {cut}");
        }
        // An object that says that it is larger than it is; one that is its own base; numbers without an end.
        let mut long = bytes.clone();
        long[12] |= 15;
        assert_eq!(found(&long, None).1.problems.len(), 1);
        assert_eq!(found(&pack(&[(6, vec![0], delta(4, 2, b"x"))]), None).1.problems.len(), 1);
        assert_eq!(found(&[b"PACK\0\0\0\x02\0\0\0\x01".to_vec(), vec![0xff; 200]].concat(), None).1.problems.len(), 1);
        // A difference whose result is as large as it can be said to be.
        let huge = [&[4][..], &[0xff; 8], &[0x01, 0x90, 0x04]].concat();
        let (all, packed) =
            found(&pack(&[(3, Vec::new(), b"base".to_vec()), (7, id(Naming::Sha1, Kind::Blob, b"base").bytes().to_vec(), huge)]), None);
        assert_eq!((all.len(), packed.too_large), (1, 1));
    }
}
